// The export page: the result follows every control; chips are sorted by dragging or by their arrows; weights are log sliders.
"use strict";
(() => {
  const WAIT_MS = 90;
  const form = document.getElementById("recipe");
  if (!form) return;
  let timer = 0;
  const changed = (wait = WAIT_MS) => {
    clearTimeout(timer);
    timer = setTimeout(() => htmx.trigger("#result", "recipe"), wait);
  };

  const percent = (range) => {
    range.nextElementSibling.textContent = `${Math.round(range.value * 100)} %`;
  };
  const toSlider = (row) => {
    const value = Number(row.querySelector("[type=number]").value);
    if (value > 0) row.querySelector("[data-log]").value = Math.log10(value);
  };
  form.querySelectorAll("[data-percent]").forEach(percent);
  form.querySelectorAll(".weight").forEach(toSlider);

  form.addEventListener("input", (event) => {
    const node = event.target;
    if (node.name === "name" || node.name === "recipe_name" || node.name === "weights.csv") return;
    if (node.matches("[data-percent]")) percent(node);
    const row = node.closest(".weight");
    if (row && node.matches("[data-log]")) {
      const value = 10 ** Number(node.value);
      row.querySelector("[type=number]").value =
        Math.abs(value - 1) < 0.03 ? "1" : String(Number(value.toPrecision(value >= 1 ? 3 : 2)));
    } else if (row && node.type === "number") toSlider(row);
    if (node.name === "level") node.closest("li").classList.toggle("off", !node.checked);
    changed();
  });

  function addWeight(name) {
    const box = form.querySelector("[data-weights]");
    let row = [...box.children].find(
      (one) => name && one.querySelector("[name='weight.pattern']").value === name,
    );
    if (!row) {
      box.append(document.getElementById("weight-row").content.cloneNode(true));
      row = box.lastElementChild;
      row.querySelector("[name='weight.pattern']").value = name || "";
      toSlider(row);
    }
    row.querySelector(name ? "[data-log]" : "[name='weight.pattern']").focus();
    row.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("click", (event) => {
    const node = event.target.closest("button");
    if (!node) return;
    if (node.matches("[data-add-weight]")) addWeight("");
    if (node.dataset.weigh) addWeight(node.dataset.weigh);
    if (node.matches("[data-drop]")) {
      node.closest(".weight").remove();
      changed(0);
    }
    if (node.dataset.examples) {
      form.elements.examples.value = node.dataset.examples;
      changed(0);
    }
    if (node.dataset.move) {
      const item = node.closest("[data-item]");
      const other = node.dataset.move < 0 ? item.previousElementSibling : item.nextElementSibling;
      if (other) {
        node.dataset.move < 0 ? other.before(item) : other.after(item);
        node.focus();
        changed(0);
      }
    }
  });

  form.addEventListener("koma:restored", () => {
    form.querySelectorAll("[data-percent]").forEach(percent);
    form.querySelectorAll(".weight").forEach(toSlider);
    changed();
  });

  let dragged = null;
  form.addEventListener("pointerdown", (event) => {
    // A slider inside a draggable chip would otherwise drag the chip.
    const item = event.target.closest("[data-item]");
    if (item) item.draggable = !event.target.closest("input, button, label");
  });
  form.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("[data-item]");
    if (!dragged) return;
    dragged.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
  });
  form.addEventListener("dragover", (event) => {
    const over = event.target.closest("[data-item]");
    if (!dragged || !over || over.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    if (over === dragged) return;
    const box = over.getBoundingClientRect();
    const column = over.parentElement.matches(".parts");
    const after = column
      ? event.clientY > box.top + box.height / 2
      : event.clientX > box.left + box.width / 2;
    after ? over.after(dragged) : over.before(dragged);
  });
  form.addEventListener("drop", (event) => {
    if (dragged) event.preventDefault();
  });
  form.addEventListener("dragend", () => {
    if (dragged) {
      dragged.classList.remove("dragged");
      changed(0);
    }
    dragged = null;
  });
})();
