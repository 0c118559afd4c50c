// Which row of the faces page is current, and what comes after it.
import { inTurn } from "./answers.js";
import { crops, currentRow, loose, nameField, rowBeside, rows } from "./faces_dom.js";
import { loadMore } from "./faces_parts.js";

const ROWS_AHEAD = 6; // the next groups are loaded when so few are left
export const end = document.getElementById("end");

export function choose(row, { focus = true } = {}) {
  currentRow()?.removeAttribute("data-current");
  if (!row) return;
  row.toggleAttribute("data-current", true);
  if (end) end.hidden = true;
  if (focus) nameField(row)?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  document.dispatchEvent(new Event("koma:row"));
  if (rows().indexOf(row) >= rows().length - ROWS_AHEAD) loadMore();
}

export function chooseBeside(step) {
  const row = currentRow();
  if (row) moveOn(rowBeside(row, step), { stay: step < 0 });
  else choose(step < 0 ? rows().at(-1) : rows()[0]);
}

// To the next row; where there is none, to those that are still to be loaded, or to what comes after
// all groups.
export async function moveOn(next, { stay = false } = {}) {
  if (next) {
    choose(next);
    return;
  }
  if (stay) return;
  const before = new Set(rows());
  if (await loadMore()) moveOn(rows().find((row) => !before.has(row)));
  else showEnd();
}

// What comes after the last group: groups that were skipped or came back, faces in no group, or, once
// all are answered, the characters.
export function showEnd() {
  choose(null);
  const left = rows().length;
  if (left && end) {
    end.hidden = false;
    end.querySelector("[data-end-rows]").textContent = left === 1 ? "1 group" : `${left} groups`;
    end.querySelector(".btn").focus({ preventScroll: true });
    end.scrollIntoView({ block: "nearest" });
  } else if (crops(loose).length) {
    crops(loose)[0].focus();
  } else {
    inTurn(() => {
      if (!currentRow()) document.querySelector("#all-named .btn")?.focus();
    });
  }
}
