/* The table of trials: searched, filtered, sorted, and a page of it at a time. */
const PER_PAGE = 100;
const COLUMNS = [
  ["number", "#", true],
  ["name", "Trial", false],
  ["kind", "Kind", false],
  ["status", "Status", false],
  ["score", "Score", true],
  ["time", "Time", true],
  ["calls", "Calls", true],
  ["tokens", "Tokens", true],
  ["cost", "Cost", true],
  ["at", "When", false],
];
const table = { sort: "number", down: false, start: 0, words: [], status: "", kind: "", least: null };
const kinds = new Set(page.rows.map((row) => row.shown.kind));
const statuses = new Set(page.rows.map((row) => row.shown.status));
const columns = COLUMNS.filter(([key]) => key !== "kind" || kinds.size > 1);
const haystacks = new Map(
  page.rows.map((row) => {
    const own = [row.shown.name, row.asked, row.answered, row.error, row.parent];
    return [row.number, own.filter(Boolean).join("\n").toLowerCase()];
  }),
);
/** Whether it is a part of the trial's id: a digit or two is in all of them. */
const isOfId = (row, word) => word.length >= 6 && row.id.includes(word);
let chosen = page.rows;
let tableBody, tableCount, tablePager, tableSearch;

function choose() {
  chosen = page.rows.filter(
    (row) =>
      (!table.status || row.shown.status === table.status) &&
      (!table.kind || row.shown.kind === table.kind) &&
      (table.least === null || (row.score !== null && row.score >= table.least)) &&
      table.words.every((word) => haystacks.get(row.number).includes(word) || isOfId(row, word)),
  );
  const isText = ["name", "kind", "status"].includes(table.sort);
  const value = (row) => (isText ? row.shown[table.sort] : (row[table.sort] ?? null));
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const sign = table.down ? -1 : 1;
  chosen.sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return (a === null) - (b === null); // what is not known, last
    const order = isText ? compare(a, b) : a - b;
    return order ? sign * order : one.number - other.number;
  });
  table.start = 0;
  showRows();
}

function showRows() {
  const shown = chosen.slice(table.start, table.start + PER_PAGE);
  tableBody.replaceChildren(...shown.map(rowOf));
  const all = counted(page.rows.length, "trial");
  const some = `${grouped(chosen.length)} of ${all}`;
  tableCount.textContent = chosen.length === page.rows.length ? all : some;
  const end = Math.min(table.start + PER_PAGE, chosen.length);
  const [before, words, after] = tablePager.children;
  tablePager.hidden = chosen.length <= PER_PAGE;
  words.textContent = `${grouped(table.start + 1)} – ${grouped(end)} of ${grouped(chosen.length)}`;
  before.disabled = table.start === 0;
  after.disabled = end >= chosen.length;
}

function turn(pages) {
  const start = table.start + pages * PER_PAGE;
  if (start < 0 || start >= chosen.length) return false;
  table.start = start;
  showRows();
  return true;
}

/** Show the page of the table that has this trial. */
function turnTo(number) {
  const place = chosen.findIndex((row) => row.number === number);
  if (place >= 0) turn(Math.floor(place / PER_PAGE) - table.start / PER_PAGE);
}

function rowOf(row) {
  const made = element("tr", { onclick: (event) => openRow(event, row.number) });
  for (const [key, , isRight] of columns) {
    const cell = element("td", { className: isRight ? `${key} right` : key });
    if (key === "name") cell.append(...nameOf(row));
    else if (key === "status") cell.append(statusOf(row));
    else if (key === "at") {
      const className = row.wrong ? "bar wrong" : "bar";
      cell.append(track(row.at, row.time ?? page.seconds - row.at, page.seconds, className));
    } else cell.append(row.shown[key]);
    made.append(cell);
  }
  return made;
}

function nameOf(row) {
  const link = element("a", { href: `#trial-${row.number}` }, inline(row.shown.name));
  const said = element("div", { className: "gist" });
  if (row.asked) said.append(inline(row.asked));
  if (row.error) said.append(row.asked ? " → " : "", inline(row.error, "error"));
  else if (row.answered) said.append(row.asked ? " → " : "", inline(row.answered, "answered"));
  return [link, said];
}

function openRow(event, number) {
  const isText = !window.getSelection().isCollapsed; // somebody marks a text, and opens nothing
  if (event.target.closest("a") || isText) return;
  location.hash = `trial-${number}`;
}

/** The numbers of the trials before and after one, as the table has them. */
function beside(number) {
  const place = chosen.findIndex((row) => row.number === number);
  if (place < 0) return [undefined, undefined];
  return [chosen[place - 1]?.number, chosen[place + 1]?.number];
}

function buildTable(place) {
  tableSearch = searchOf("Search in trials", () => {
    table.words = wordsOf(tableSearch.value);
    choose();
  });
  tableCount = element("span", { className: "count", role: "status" });
  const bar = element("div", { className: "bar", role: "search" }, tableSearch);
  if (statuses.size > 1) bar.append(selectOf("status", "any status", statuses));
  if (kinds.size > 1) bar.append(selectOf("kind", "any kind", kinds));
  if (page.rows.some((row) => row.score !== null)) bar.append(leastScore());
  bar.append(tableCount);
  tableBody = element("tbody");
  const heads = element("tr", {}, ...columns.map(headOfColumn));
  const caption = element("caption", { className: "unseen" }, "Trials of this experiment");
  const whole = element("table", { className: "trials" }, caption, element("thead", {}, heads), tableBody);
  tablePager = element(
    "nav",
    { className: "pager", "aria-label": "Pages" },
    element("button", { type: "button", onclick: () => turn(-1) }, "Previous"),
    element("span", { role: "status" }),
    element("button", { type: "button", onclick: () => turn(1) }, "Next"),
  );
  place.replaceChildren(bar, whole, tablePager);
  choose();
}

function selectOf(key, any, values) {
  const choices = ["", ...[...values].sort()].map((value) => element("option", { value }, value || any));
  const onchange = (event) => {
    table[key] = event.target.value;
    choose();
  };
  return element("select", { "aria-label": key, onchange }, ...choices);
}

function leastScore() {
  const oninput = (event) => {
    table.least = event.target.value === "" ? null : Number(event.target.value);
    choose();
  };
  const input = element("input", { type: "number", step: "any", oninput, placeholder: "any" });
  return element("label", { className: "least" }, "score ≥ ", input);
}

function headOfColumn([key, title, isRight]) {
  const onclick = () => {
    table.down = table.sort === key ? !table.down : isRight && key !== "number";
    table.sort = key;
    for (const head of made.parentElement.children) head.removeAttribute("aria-sort");
    made.setAttribute("aria-sort", table.down ? "descending" : "ascending");
    choose();
  };
  const button = element("button", { type: "button", onclick }, title);
  const made = element("th", { scope: "col", className: isRight ? `${key} right` : key }, button);
  if (key === table.sort) made.setAttribute("aria-sort", "ascending");
  return made;
}
