/*
 * How the search orders its results: guides first, reference and changelog last, unless the query is a name of the code.
 * Sphinx puts this into language_data.js; searchtools.js reads `Scorer`, whose numbers are its own defaults.
 */
const programmersName = /[._]|[a-z][A-Z]/;
const lookedUp = /^(reference\/|changelog$|contributing$|endpoints$|truemed-api$)/;

const stemsOf = (text) => {
  const stemmer = new Stemmer();
  return text
    .split(/[^\p{Letter}\p{Number}_]+/u)
    .filter(Boolean)
    .map((word) => stemmer.stemWord(word.toLowerCase()));
};

var Scorer = {
  score: ([page, title, anchor, description, score]) => {
    const query = new URLSearchParams(window.location.search).get("q") ?? "";
    if (programmersName.test(query.trim())) return score;
    if (lookedUp.test(page)) return score - 60;
    // How much of the heading the query is: "Retries" is about "retry", and "Valid Letters" about "letter".
    const heading = stemsOf(title.split(" > ").at(-1));
    const found = stemsOf(query).filter((stem) => heading.includes(stem));
    return score + Math.round((30 * found.length) / Math.max(heading.length, 1));
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
