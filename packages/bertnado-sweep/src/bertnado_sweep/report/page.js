"use strict";
(() => {
  const root = document.documentElement;
  const figures = [...document.querySelectorAll("script.figure")].map((script) => JSON.parse(script.textContent));
  const isTouch = matchMedia("(pointer: coarse)").matches;
  const config = {
    responsive: true,
    displaylogo: false,
    toImageButtonOptions: { format: "svg" },
    plotlyServerURL: "", // nothing is uploaded from here
    modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
  };

  const themed = (layout) => {
    const style = getComputedStyle(root);
    const [ink, line, paper] = ["--ink", "--line", "--paper"].map((name) => style.getPropertyValue(name).trim());
    const changed = { "font.color": ink, paper_bgcolor: paper, plot_bgcolor: paper };
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      Object.assign(changed, { [`${name}.gridcolor`]: line, [`${name}.linecolor`]: line });
    }
    return changed;
  };

  const draw = async () => {
    for (const { id, data, layout } of figures) {
      const base = { font: { family: getComputedStyle(document.body).fontFamily }, dragmode: isTouch ? false : "zoom" };
      await Plotly.newPlot(id, data, { ...base, ...layout }, config);
      await Plotly.relayout(id, themed(layout));
    }
    root.dataset.drawn = String(figures.length);
  };

  const repaint = () => figures.forEach(({ id, layout }) => Plotly.relayout(id, themed(layout)));
  const setPrinting = (isPrinting) => {
    if (isPrinting) root.dataset.theme = "light";
    else delete root.dataset.theme;
    repaint();
    figures.forEach(({ id }) => {
      const width = document.getElementById(id).closest(".small") ? 320 : 660;
      Plotly.relayout(id, isPrinting ? { width } : { width: null, autosize: true });
    });
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("beforeprint", () => setPrinting(true));
  addEventListener("afterprint", () => setPrinting(false));

  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a.localeCompare(b, undefined, { numeric: true });
  };
  const sortBy = (table, head) => {
    const column = head.cellIndex;
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const rows = [...table.tBodies[0].rows].map((row) => ({ row, key: keyOf(row, column) }));
    const isEmpty = ({ key }) => key === "" || key === "–";
    rows.sort((a, b) => isEmpty(a) - isEmpty(b) || sign * compare(a.key, b.key));
    table.tBodies[0].append(...rows.map(({ row }) => row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  };
  for (const button of document.querySelectorAll("table.sortable th button")) {
    button.addEventListener("click", () => sortBy(button.closest("table"), button.closest("th")));
  }

  draw();
})();
