// Face boxes on a frame: choose, draw, move and resize with mouse, finger or arrows. The server keeps the truth; a stale
// box is refused there and the page shows the new one.
"use strict";
(() => {
  const MIN = 0.005; // of the picture; smaller is a slip
  let draw = false;
  let act = null; // {box, edge, x, y, start, moved}
  const canvas = () => document.getElementById("canvas");
  const clamp = (v, a, b) => Math.min(b, Math.max(a, v));
  const place = (box) =>
    ["left", "top", "width", "height"].map((k) => parseFloat(box.style[k]) / 100);
  const set = (box, [l, t, w, h]) => {
    box.style.left = `${l * 100}%`;
    box.style.top = `${t * 100}%`;
    box.style.width = `${w * 100}%`;
    box.style.height = `${h * 100}%`;
  };
  const point = (event) => {
    const r = canvas().getBoundingClientRect();
    return [(event.clientX - r.left) / r.width, (event.clientY - r.top) / r.height];
  };

  function choose(id) {
    document
      .querySelectorAll(".box")
      .forEach((box) => box.classList.toggle("current", box.dataset.face === id));
    document
      .querySelectorAll("[data-face-row]")
      .forEach((row) => row.classList.toggle("current", row.dataset.faceRow === id));
    const row = document.querySelector(`[data-face-row="${id}"]`);
    if (row) row.scrollIntoView({ block: "nearest" });
  }
  function drawing(on) {
    draw = on;
    canvas().classList.toggle("drawing", on);
    const button = document.querySelector("[data-draw]");
    if (button) button.setAttribute("aria-pressed", String(on));
  }
  function send(box) {
    const [l, t, w, h] = place(box);
    const values = {
      left: l,
      top: t,
      right: l + w,
      bottom: t + h,
      face: box.dataset.face || "",
      version: box.dataset.version || "",
      key: "",
    };
    htmx.ajax("POST", canvas().dataset.boxes, { values, target: "#labels", swap: "outerHTML" });
  }
  document.addEventListener("click", (event) => {
    const box = event.target.closest(".box");
    if (box) choose(box.dataset.face);
    if (event.target.closest("[data-draw]")) drawing(!draw);
    const row = event.target.closest("[data-face-row]");
    if (row) choose(row.dataset.faceRow);
  });
  document.addEventListener("pointerdown", (event) => {
    if (!canvas() || !canvas().contains(event.target) || !canvas().dataset.canEdit || event.button)
      return;
    const [x, y] = point(event);
    const box = event.target.closest(".box");
    if (draw) {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "box person current";
      canvas().append(made);
      set(made, [x, y, 0, 0]);
      act = { box: made, edge: "se", x, y, start: [x, y, 0, 0], made: true };
    } else if (box && box.classList.contains("current")) {
      act = { box, edge: event.target.dataset.edge || "", x, y, start: place(box) };
    } else return;
    event.preventDefault();
    canvas().setPointerCapture(event.pointerId);
  });
  document.addEventListener("pointermove", (event) => {
    if (!act) return;
    const [x, y] = point(event);
    const [dx, dy] = [x - act.x, y - act.y];
    let [l, t, w, h] = act.start;
    if (!act.edge) {
      l = clamp(l + dx, 0, 1 - w);
      t = clamp(t + dy, 0, 1 - h);
    } else {
      let [r, b] = [l + w, t + h];
      if (act.edge.includes("w")) l += dx;
      if (act.edge.includes("e")) r += dx;
      if (act.edge.includes("n")) t += dy;
      if (act.edge.includes("s")) b += dy;
      [l, r] = [clamp(Math.min(l, r), 0, 1), clamp(Math.max(l, r), 0, 1)];
      [t, b] = [clamp(Math.min(t, b), 0, 1), clamp(Math.max(t, b), 0, 1)];
      [w, h] = [r - l, b - t];
    }
    act.moved = act.moved || Math.abs(dx) + Math.abs(dy) > MIN;
    set(act.box, [l, t, w, h]);
  });
  document.addEventListener("DOMContentLoaded", () => {
    // On a phone the neighbours before it would hide the frame one looks at.
    const here = document.querySelector(".filmstrip [aria-current]");
    if (here)
      here.parentElement.scrollLeft =
        here.offsetLeft -
        here.parentElement.offsetLeft -
        (here.parentElement.clientWidth - here.clientWidth) / 2;
  });
  const done = () => {
    if (!act) return;
    const { box, made, moved } = act;
    act = null;
    const [, , w, h] = place(box);
    if (w < MIN || h < MIN) {
      if (made) {
        box.remove();
        window.komaToast({ error: true, text: "That box is too small. Draw it again." });
      }
      return;
    }
    if (moved) send(box);
    if (made) drawing(false);
  };
  document.addEventListener("pointerup", done);
  document.addEventListener("pointercancel", () => {
    if (act) {
      set(act.box, act.start);
      if (act.made) act.box.remove();
      act = null;
    }
  });
  let timer = null;
  document.addEventListener(
    "keydown",
    (event) => {
      const box = event.target.closest(".box.current");
      if (!box || !canvas().dataset.canEdit || event.ctrlKey || event.metaKey || event.altKey)
        return;
      const d = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[
        event.key
      ];
      if (!d) return;
      event.preventDefault(); // arrows move the chosen box; with Shift they resize it; elsewhere they change the frame
      const step = 0.004;
      let [l, t, w, h] = place(box);
      if (event.shiftKey) {
        w = clamp(w + d[0] * step, MIN, 1 - l);
        h = clamp(h + d[1] * step, MIN, 1 - t);
      } else {
        l = clamp(l + d[0] * step, 0, 1 - w);
        t = clamp(t + d[1] * step, 0, 1 - h);
      }
      set(box, [l, t, w, h]);
      clearTimeout(timer);
      timer = setTimeout(() => send(box), 500);
    },
    true,
  );
})();
