// What a page shows that a person could not press or read. Tests evaluate this file; its value has
// two functions, each of which returns the beginnings of elements' HTML.
(() => {
  const LARGE_TEXT_PX = 24;
  const CONTRAST = { large: 3, small: 4.5 }; // WCAG AA
  const INVISIBLE = 0.02; // an opacity
  const NO_CONTROLS = ".visually-hidden, [hidden], dialog, svg, .shots, a.skip, a.badge";
  const NO_TEXTS = "option, noscript, template, .visually-hidden, :disabled";
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary";

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

  return {
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
