// What was chosen, dropped or pasted: films, groups of pictures with the texts beside them, and
// what is left out. A chosen file is {path, file}; a path with a slash comes from a folder, whose
// name is its first part.
import { count } from "./numbers.js";

const FILM = /\.(mkv|mp4|m4v|webm|avi|ts|m2ts|mts|mov|wmv|flv|mpg|mpeg|ogv|ogm|3gp|zip|cbz)$/i;
// Tags and captions that lie beside pictures.
const SIDE_FILE = /\.(tags?|txt|json|toml|caption|cap|processed_tags|characters|subjects)$/i;
// waifuc hides .a_meta.json beside a.png.
const LEFTOVER = /(^|\/)(\.(?![^/]*_meta\.json$)|__MACOSX\/|thumbs\.db$|desktop\.ini$)/i;
// A Mac's notes on a file, under the file's own name.
const MAC_COPY = /(^|\/)(\._|__MACOSX\/)/i;

const fileName = (path) => path.replace(/^.*\//, "");

// Whether a name is that of a picture: `endings` are parted by bars, from the server's table.
export function pictureTest(endings) {
  const pattern = new RegExp(`\\.(${endings})$`, "i");
  return (path) => pattern.test(path);
}

// Name, size and date tell a file; FNV-1a is enough for the name, the server compares the size too.
export function fileKey({ name, size, lastModified }) {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193) >>> 0;
  return `${size}-${lastModified}-${hash.toString(16)}`;
}

// Sorted into films, groups ({folder, entries}; folder "" for single files), others (neither, by
// their names), hidden ones (films or pictures whose names begin with a dot) and a number of
// leftovers, which nobody means to send.
export function sortChosen(entries, isPicture) {
  const films = [];
  const others = [];
  const hidden = [];
  const folders = new Map();
  let leftovers = 0;
  for (const entry of entries) {
    const { path, file } = entry;
    if (LEFTOVER.test(path)) {
      const isMeant = !MAC_COPY.test(path) && (FILM.test(path) || isPicture(path));
      if (isMeant) hidden.push(entry);
      else leftovers += 1;
    } else if (FILM.test(path)) {
      films.push(entry);
    } else if (isPicture(path) || SIDE_FILE.test(path)) {
      const slash = path.indexOf("/");
      const folder = slash < 0 ? "" : path.slice(0, slash);
      if (!folders.has(folder)) folders.set(folder, []);
      folders.get(folder).push({ path: path.slice(slash + 1), file });
    } else {
      others.push(entry);
    }
  }
  const groups = [];
  for (const [folder, group] of folders) {
    if (group.some(({ path }) => isPicture(path))) groups.push({ folder, entries: group });
    else others.push(...group);
  }
  return { films, groups, others, hidden, leftovers };
}

// The name of a group of pictures: its folder, or its first picture and how many more there are.
export function groupName({ folder, entries }, isPicture) {
  if (folder) return folder;
  const paths = entries
    .map(({ path }) => path)
    .filter(isPicture)
    .toSorted();
  const first = fileName(paths[0]).replace(/\.[^.]*$/, "");
  return paths.length === 1 ? first : `${first} and ${count(paths.length - 1)} more`;
}

// The first three names of a list, and how many more there are.
export function listedNames(entries) {
  const names = entries.slice(0, 3).map(({ path }) => path);
  const rest = entries.length - names.length;
  return names.join(", ") + (rest > 0 ? ` and ${count(rest)} more` : "");
}

// Browsers call every pasted picture image.png: a name with the time and, after the first, a
// number.
export function pastedName(name, index, now) {
  if (!/^image\.\w+$/.test(name)) return name;
  const stamp = now.toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
  return `pasted ${stamp}${index ? ` ${index + 1}` : ""}.${name.split(".").pop()}`;
}
