// What a page shows that a person could not press, read or hear. Tests evaluate this file; its value
// has functions, each of which returns the beginnings of elements' HTML.
(() => {
  const LARGE_TEXT_PX = 24;
  const CONTRAST = { large: 3, small: 4.5 }; // WCAG AA
  const INVISIBLE = 0.02; // an opacity
  const NO_CONTROLS = ".visually-hidden, [hidden], dialog, svg, .shots, a.skip, a.badge";
  const NOT_PRESSED = ".visually-hidden, .skip, .shots"; // a shot is as wide as it is long
  const NO_TEXTS = "option, noscript, template, .visually-hidden, :disabled";
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary";

  const FOCUSABLE = `${CONTROLS}, [role=button], [role=link], [tabindex]`;
  // A screen reader reads these as one thing; what is inside cannot be reached.
  const ONE_THING =
    "a[href], button, summary, [role=img], [role=button], [role=link], [role=progressbar]";
  const LANDMARKS = {
    navigation: "nav, [role=navigation]",
    complementary: "aside, [role=complementary]",
    search: "search, [role=search]",
    main: "main, [role=main]",
    region: "section[aria-label], section[aria-labelledby], [role=region]",
  };
  const SHAPED_LINK = ".btn, .chip, .pill, .badge"; // has a border of its own

  const canvas = document.createElement("canvas");
  canvas.width = 1;
  canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });

  function beginning(node) {
    return node.outerHTML.slice(0, 120);
  }

  // A link inside a sentence may be as high as its line.
  function isInSentence(node) {
    return (
      node.matches("a") &&
      getComputedStyle(node).display === "inline" &&
      node.parentElement.innerText.trim() !== node.innerText.trim()
    );
  }

  // A checkbox is pressed by its label, too.
  function pressedArea(node) {
    const label = node.matches("[type=checkbox], [type=radio]") && node.closest("label");
    return (label || node).getBoundingClientRect();
  }

  // Red, green and blue from 0 to 255, and the opacity from 0 to 1.
  function channels(colour) {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  }

  function layOver(top, bottom) {
    return [0, 1, 2].map((index) => top[index] * top[3] + bottom[index] * (1 - top[3]));
  }

  function linear(channel) {
    const share = channel / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }

  function luminance([red, green, blue]) {
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  }

  function contrast(first, second) {
    const [light, dark] = [luminance(first), luminance(second)].toSorted((one, two) => two - one);
    return (light + 0.05) / (dark + 0.05);
  }

  // The opacity of a text's element, and the colours behind it, from the lowest.
  function background(element) {
    let opacity = 1;
    const layers = [];
    for (let node = element; node; node = node.parentElement) {
      const style = getComputedStyle(node);
      opacity *= Number(style.opacity);
      layers.unshift(channels(style.backgroundColor));
      if (layers[0][3] === 1) break;
    }
    return { opacity, layers };
  }

  function isPale(element) {
    const { opacity, layers } = background(element);
    if (opacity < INVISIBLE) return false;
    const behind = layers.reduce((below, layer) => layOver(layer, below), [255, 255, 255]);
    const style = getComputedStyle(element);
    const ink = channels(style.color);
    ink[3] *= opacity;
    const size = parseFloat(style.fontSize) >= LARGE_TEXT_PX ? "large" : "small";
    return contrast(layOver(ink, behind), behind) < CONTRAST[size];
  }

  function nearest(value, low, high) {
    return Math.max(low, Math.min(high, value));
  }

  // From the middle of an area to another area, or to the circle of this radius in the middle of that.
  function gap(area, other, radius) {
    const [x, y] = [area.x + area.width / 2, area.y + area.height / 2];
    const toArea = Math.hypot(
      x - nearest(x, other.left, other.right),
      y - nearest(y, other.top, other.bottom),
    );
    if (radius === null) return toArea;
    const toMiddle = Math.hypot(
      x - (other.left + other.right) / 2,
      y - (other.top + other.bottom) / 2,
    );
    return Math.min(toArea, toMiddle - radius);
  }

  function textOf(node) {
    const copy = node.cloneNode(true);
    copy
      .querySelectorAll("[aria-hidden=true], [hidden], kbd, script")
      .forEach((hidden) => hidden.remove());
    const alternatives = [...copy.querySelectorAll("[alt], [aria-label]")].map(
      (inner) => inner.getAttribute("alt") || inner.getAttribute("aria-label"),
    );
    return [copy.textContent, ...alternatives].join(" ").trim();
  }

  // The name that a screen reader says, as far as Koma's pages use its sources.
  function nameOf(node) {
    const labelled = (node.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean);
    const labels = [...labelled.map((id) => document.getElementById(id)), ...(node.labels || [])];
    return [
      node.getAttribute("aria-label"),
      ...labels.filter(Boolean).map(textOf),
      node.matches("input, select, textarea") ? "" : textOf(node),
      node.getAttribute("title"),
      node.getAttribute("placeholder"),
      node.matches("[type=submit], [type=reset]") ? node.value : "",
    ]
      .map((text) => (text || "").trim())
      .find(Boolean);
  }

  function shown(selector) {
    return [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility());
  }

  // Of links that stand among words, those that only their colour tells from the words.
  function isLostInSentence(link) {
    const style = getComputedStyle(link);
    const isText =
      style.display === "inline" && !link.matches(SHAPED_LINK) && !link.querySelector("img, svg");
    const isAmongWords = [...link.parentElement.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && /[\p{L}\p{N}]/u.test(node.textContent),
    );
    return isText && isAmongWords && !style.textDecorationLine.includes("underline");
  }

  function landmarkName(landmark) {
    const heading = document.getElementById(landmark.getAttribute("aria-labelledby"));
    return heading ? textOf(heading) : landmark.getAttribute("aria-label") || "";
  }

  // Landmarks of one kind that a list of landmarks shows under the same name.
  function twinLandmarks() {
    return Object.values(LANDMARKS).flatMap((selector) => {
      const landmarks = shown(selector);
      const names = landmarks.map(landmarkName);
      return landmarks.filter(
        (node, index) => names.indexOf(names[index]) !== names.lastIndexOf(names[index]),
      );
    });
  }

  return {
    // What a screen reader or an eye without colours misses, each with its kind.
    unclear() {
      const controls = shown(`${CONTROLS}, [role=button], [role=link]`);
      const kinds = {
        "no name": controls.filter((node) => !node.closest("[aria-hidden=true]") && !nameOf(node)),
        "in the tab order though hidden from screen readers": controls.filter(
          (node) => node.closest("[aria-hidden=true]") && node.tabIndex >= 0,
        ),
        "a control in a control": shown(FOCUSABLE).filter((node) =>
          node.parentElement.closest(ONE_THING),
        ),
        "no words in a head of a table": shown("th").filter((node) => !textOf(node)),
        "another landmark of this name": twinLandmarks(),
        "a link in a sentence without an underline": shown("a[href]").filter(isLostInSentence),
      };
      return Object.entries(kinds).flatMap(([kind, nodes]) =>
        nodes.map((node) => `${kind}: ${beginning(node)}`),
      );
    },

    // Controls under so many pixels.
    small(minimum) {
      return [...document.querySelectorAll(CONTROLS)]
        .filter((node) => !node.closest(NO_CONTROLS) && !isInSentence(node))
        .filter((node) => node.checkVisibility({ contentVisibilityAuto: true }))
        .filter((node) => {
          const { width, height } = pressedArea(node);
          return width > 0 && (height < minimum - 1 || width < minimum - 1);
        })
        .map(beginning);
    },

    // Controls under so many pixels with another one so close that a press may reach that (WCAG 2.5.8).
    crowded(minimum) {
      const targets = shown(CONTROLS)
        .filter((node) => !isInSentence(node) && !node.closest(NOT_PRESSED))
        .map((node) => ({ node, area: pressedArea(node) }))
        .filter(({ area }) => area.width > 0);
      const isSmall = ({ area }) => area.height < minimum - 1 || area.width < minimum - 1;
      return targets
        .filter(
          (target) => isSmall(target) && !target.node.matches("[type=checkbox], [type=radio]"),
        )
        .filter((target) =>
          targets.some(
            (other) =>
              !target.node.contains(other.node) &&
              !other.node.contains(target.node) &&
              gap(target.area, other.area, isSmall(other) ? minimum / 2 : null) < minimum / 2 - 1,
          ),
        )
        .map(({ node }) => beginning(node));
    },

    // Texts whose contrast with what lies behind them is too low.
    pale() {
      const elements = [];
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        const isText = texts.currentNode.textContent.trim() && !element.closest(NO_TEXTS);
        if (isText && element.checkVisibility()) elements.push(element);
      }
      return elements.filter(isPale).map(beginning);
    },
  };
})();
