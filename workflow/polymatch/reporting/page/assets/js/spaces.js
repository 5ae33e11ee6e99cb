// A run's space by t-SNE and by PCA.

import { DATA } from "./data.js";
import { axisNumber, beside, chart, look } from "./chart.js";

const PLANES = [["tsne", "t-SNE", 6], ["pca", "PCA", 2]];
const COLOURED = 7;

export function spaceCharts(row) {
  const space = DATA.spaces?.[row.key];
  if (!space) return [];
  const shown = space.groups.slice(0, COLOURED);
  const style = (group) => (group >= 0 && group < COLOURED ? look(group) : { ...beside(), dash: "none" });
  return PLANES.map(([plane, title, at]) => {
    const pairs = space.pairs.map((pair) => ({ item_id: pair[0], g: pair[1], group: space.groups[pair[1]] ?? "", item_x: pair[at], item_y: pair[at + 1], caption_x: pair[at + 2], caption_y: pair[at + 3] }));
    const points = pairs.flatMap((p) => [{ ...p, x: p.item_x, y: p.item_y, side: "item" }, { ...p, x: p.caption_x, y: p.caption_y, side: "caption" }]);
    const number = plane === "tsne" ? `perplexity ${axisNumber(space.numbers.perplexity ?? 0)}` : `modality gap ${axisNumber(space.numbers.modality_gap ?? 0)}`;
    return chart({
      title,
      note: `First run: ${pairs.length} of ${space.of} drawn items (filled) with a caption of each (hollow), joined by a line; ${number}.`,
      series: shown.length ? [...shown.map((label, i) => ({ label, style: { ...look(i), filled: true }, line: false })), ...(space.groups.length > COLOURED ? [{ label: "others", style: { ...beside(), filled: true }, line: false }] : [])] : [],
      rows: pairs,
      columns: ["item_id", "group", "item_x", "item_y", "caption_x", "caption_y"],
      file: `${row.model}.${row.similarity}.${plane}.csv`,
      make: (width) => ({
        height: Math.min(width, 460),
        marginLeft: 30,
        x: { axis: null },
        y: { axis: null },
        marks: [
          Plot.link(pairs, { x1: "item_x", y1: "item_y", x2: "caption_x", y2: "caption_y", stroke: "var(--muted)", strokeOpacity: 0.35, strokeWidth: 0.75 }),
          Plot.dot(points, { x: "x", y: "y", r: 3.2, symbol: (d) => style(d.g).symbol, stroke: (d) => style(d.g).stroke, fill: (d) => (d.side === "item" ? style(d.g).stroke : "var(--panel)") }),
          Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (d) => `${d.side} ${d.item_id}\n${d.group}`, fill: "var(--panel)" })),
        ],
      }),
    });
  });
}
