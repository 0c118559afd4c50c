// The faces page: its rows (groups of faces), its forms and the faces in them.
import { neighbour } from "./lib/lists.js";

export const container = document.querySelector("[data-clusters]");
export const loose = document.getElementById("loose"); // faces in no group

export const rows = () => [...document.querySelectorAll("[data-cluster]:not([data-pending])")];
export const currentRow = () => document.querySelector("[data-cluster][data-current]");
export const rowOf = (node) => node?.closest?.("[data-cluster]");
export const formOf = (node) => node?.closest?.("[data-cluster] form, #loose form");
export const nameField = (parent) => parent?.querySelector("input[name=name]");
export const faceOf = (checkbox) => checkbox.value.split(":")[0];

// The checkboxes of the faces that are shown.
export function crops(parent) {
  return [...parent.querySelectorAll(".crop:not([hidden]) input[type=checkbox]")];
}

// The next row that nobody else is working on, or the one before.
export function rowBeside(row, step) {
  return neighbour(rows(), row, step, (other) => !other.hasAttribute("data-held"));
}

export function fillName(field, name) {
  field.value = name;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
