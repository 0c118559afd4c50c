// What is chosen out of lists.

// The items from `first` to `second`, both included, in the order of the list. Where one is gone,
// up to the other.
export function itemsBetween(list, first, second) {
  const ends = [list.indexOf(first), list.indexOf(second)];
  return list.slice(Math.max(Math.min(...ends), 0), Math.max(...ends) + 1);
}

// The item after `item` that is free; where none is, simply the next. Backwards (step -1) the one
// before.
export function neighbour(list, item, step, isFree) {
  const index = list.indexOf(item);
  if (step < 0) return list[index + step];
  const following = list.slice(index + 1);
  return following.find(isFree) || following[0];
}

// Whether a text holds each word of a query, in any order. Both are in lower case.
export function matches(text, query) {
  return query
    .split(/\s+/)
    .filter(Boolean)
    .every((word) => text.includes(word));
}
