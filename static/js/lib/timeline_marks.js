// Marks on a timeline of 1000 units. A frame is [key, left, width, seconds]; a lane names its
// frames by their places in one list.
const REACH = 25; // how far from the pointer a mark is still taken

// Places written as steps from the one before: "3 1 1" is 3, 4, 5.
export function placesFrom(deltas) {
  let place = 0;
  return deltas ? deltas.split(" ").map((delta) => (place += Number(delta))) : [];
}

// The frame nearest to `position` among those at `places`, or null when none is in reach.
export function nearestFrame(frames, places, position) {
  let nearest = null;
  let minimum = REACH;
  for (const place of places) {
    const [, left, width] = frames[place];
    const distance = Math.max(0, left - position, position - left - width);
    if (distance < minimum) {
      minimum = distance;
      nearest = frames[place];
    }
  }
  return nearest;
}
