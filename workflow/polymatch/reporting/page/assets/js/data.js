// What the page shows, and how the parts are looked up. Texts in it are never made markup.

export const DATA = JSON.parse(document.getElementById("contents").textContent);

/** Rows of a packed table as objects. */
export function records(table) {
  if (!table) return [];
  return table.rows.map((row) => Object.fromEntries(table.columns.map((name, i) => [name, row[i]])));
}

export const BOARD = records(DATA.board).map((row, place) => ({
  ...row,
  place: place + 1,
  key: `${row.model}/${row.similarity}`,
}));

const BY_KEY = new Map(BOARD.map((row) => [row.key, row]));

export const boardRow = (key) => BY_KEY.get(key);
export const BASELINE = boardRow(DATA.baseline);
export const FAMILIES = [...new Set(BOARD.map((row) => row.family))];

export const named = (row) => `${row.model} (${row.similarity})`;

/** Address of a view: parts that may have any letters. */
export const address = (...parts) => `#${parts.map((part) => encodeURIComponent(part)).join("/")}`;
export const modelAddress = (row) => address("model", row.model, row.similarity);

export const DIRECTIONS = { t2v: "text to visual", v2t: "visual to text" };

/** The test of one row against another, as if it had been made in this order; null without one. */
export function pairOf(keyA, keyB) {
  if (!DATA.pairs || keyA === keyB) return null;
  const rows = DATA.pairs.rows;
  const a = rows.indexOf(keyA);
  const b = rows.indexOf(keyB);
  if (a < 0 || b < 0) return null;
  const [low, high] = a < b ? [a, b] : [b, a];
  const n = rows.length;
  const [difference, lo, hi, p, changed] = DATA.pairs.pairs[(low * (2 * n - low - 1)) / 2 + high - low - 1];
  const turned = a > b;
  const of = (direction) => {
    const [won, lost, same, wonList, lostList] = changed[direction];
    const triples = (flat) => {
      const found = [];
      for (let i = 0; i < flat.length; i += 3) {
        found.push({ query: flat[i], a: flat[i + (turned ? 2 : 1)], b: flat[i + (turned ? 1 : 2)] });
      }
      return found;
    };
    const parts = { won, lost, same, wonList: triples(wonList), lostList: triples(lostList) };
    if (!turned) return parts;
    return { won: lost, lost: won, same, wonList: parts.lostList, lostList: parts.wonList };
  };
  return {
    difference: turned ? -difference : difference,
    lo: turned ? -hi : lo,
    hi: turned ? -lo : hi,
    p,
    of,
  };
}

export const captionText = (row) => DATA.captions[row]?.[1] ?? `caption ${row}`;
export const itemId = (row) => DATA.items[row]?.[0] ?? `item ${row}`;

/** What an item is called: its id and the first of its captions. */
export function itemName(row) {
  const [id, number, texts] = DATA.items[row] ?? [`item ${row}`, 0, []];
  const more = number > texts.length ? ` and ${number - texts.length} more` : "";
  return texts.length ? `${texts.join("; ")}${more} [${id}]` : id;
}
