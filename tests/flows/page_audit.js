// What a page shows that a person could not press or read; gives lists of the elements. Evaluated
// by tests.
({
  // Controls under `least` pixels; a link inside a sentence may be as high as its line.
  small(least) {
    const stays = ".visually-hidden, [hidden], dialog, svg, .shots, a.skip, a.badge";
    const inSentence = (node) =>
      node.matches("a") &&
      getComputedStyle(node).display === "inline" &&
      node.parentElement.innerText.trim() !== node.innerText.trim();
    const controls = [
      ...document.querySelectorAll(
        "a[href], button, input:not([type=hidden]), select, textarea, summary",
      ),
    ];
    return controls
      .filter((node) => {
        if (
          node.closest(stays) ||
          !node.checkVisibility({ contentVisibilityAuto: true }) ||
          inSentence(node)
        )
          return false;
        const whole = node.matches("[type=checkbox], [type=radio]") && node.closest("label");
        const box = (whole || node).getBoundingClientRect();
        return box.width > 0 && (box.height < least - 1 || box.width < least - 1);
      })
      .map((node) => node.outerHTML.slice(0, 120));
  },

  // Texts whose contrast with what lies behind them is below WCAG AA.
  pale() {
    const context = Object.assign(document.createElement("canvas"), {
      width: 1,
      height: 1,
    }).getContext("2d");
    const rgba = (colour) => {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
    const linear = (v) =>
      v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const left = "option, noscript, template, .visually-hidden, :disabled";
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const node = texts.currentNode.parentElement;
      if (!texts.currentNode.textContent.trim() || node.closest(left) || !node.checkVisibility())
        continue;
      let opacity = 1;
      const layers = [];
      for (let up = node; up; up = up.parentElement) {
        const style = getComputedStyle(up);
        opacity *= style.opacity;
        layers.unshift(rgba(style.backgroundColor));
        if (layers[0][3] === 1) break;
      }
      if (opacity < 0.02) continue;
      const back = layers.reduce((so, layer) => over(layer, so), [255, 255, 255]);
      const style = getComputedStyle(node);
      const ink = rgba(style.color);
      ink[3] *= opacity;
      const [high, low] = [light(over(ink, back)), light(back)].sort((x, y) => y - x);
      const least = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
      if ((high + 0.05) / (low + 0.05) < least) found.push(node.outerHTML.slice(0, 120));
    }
    return found;
  },
});
