// The card: the step in words, with a question in its place while one is asked.

import { letScroll, make, makeField } from "./elements.js";

// Whether a question hides the step. What stands beside the step does not.
export function predicts({ question }) {
  return Boolean(question && !question.beside);
}

function fillQuestion(question, now, tell) {
  if (!now.beside) make("h4", "", question, now.title);
  make("p", "", question, now.text);
  const answers = make("div", "bpl-signs", question);
  if (now.told) make("div", `bpl-note ${now.right ? "bpl-is-right" : ""}`, make("div", "bpl-said", question), now.told);
  for (const choice of now.choices) {
    const button = make("button", "bpl-button", answers, choice);
    button.type = "button";
    button.onclick = () => tell({ kind: "do", what: "answer", text: choice });
  }
  if (now.field) {
    const guess = makeField(answers, now.field, "Type your answer and press Enter", (text) => {
      tell({ kind: "do", what: "answer", text });
      guess.value = "";
    });
  }
  for (const [what, word] of now.buttons ?? []) {
    const button = make("button", "bpl-button bpl-more", answers, word);
    button.type = "button";
    button.onclick = () => tell({ kind: "do", what });
  }
  return answers;
}

// The question, and below it what was said, and a field for the learner's own reason.
function makeQuestion(card, tell) {
  const question = make("div", "bpl-question", card);
  const said = make("div", "bpl-said", card);
  said.setAttribute("role", "status");
  const because = makeField(card, "Why?", "Type your reason in one line and press Enter", (text) => {
    tell({ kind: "do", what: "why", text });
    because.value = "";
  });

  let shown = "";
  function show({ question: now, why }) {
    const all = JSON.stringify(now);
    because.parentElement.hidden = !why;
    question.hidden = !now;
    if (all === shown) return;
    shown = all;
    because.value = "";
    const hadFocus = question.contains(document.activeElement);
    question.replaceChildren();
    if (!now) return;
    const answers = fillQuestion(question, now, tell);
    if (hadFocus) answers.querySelector("input, button")?.focus({ preventScroll: true });
  }

  function say(note) {
    said.replaceChildren();
    if (note.text) make("div", `bpl-${note.kind}`, said, note.text);
  }

  return { show, say };
}

function fillHead(head, state) {
  const { card: now, question: asked } = state;
  head.replaceChildren();
  const line = make("div", "bpl-head", head);
  make("span", "bpl-chip", line, predicts(state) ? "predict" : now.phase);
  make("span", "bpl-place", line, asked?.beside ? "" : now.place);
  if (asked?.beside) make("h4", "", line, asked.title);
  if (!asked) make("h4", "", head, now.title);
}

// What is said to the learner stands where the sentence and the formula were, which can be read again later.
function fillWords(words, { card: now, remarks, question: asked }, note) {
  words.replaceChildren();
  if (asked?.beside) make("h4", "", words, now.title); // the question stands above it
  if (now.sentence && !note.text) make("p", "", words, now.sentence);
  if (now.formula && !note.text) make("div", "bpl-formula", words).innerHTML = now.formula;
  if (now.code) make("code", now.right ? "bpl-wrong" : "", make("div", "bpl-line", words), now.code);
  if (now.right) make("code", "bpl-right", make("div", "bpl-line", words), now.right);
  if (now.shapes) make("div", "bpl-shapes", words, now.shapes);
  if (remarks.length) {
    const about = make("div", "bpl-remarks", words);
    for (const { kind, text } of remarks) make("div", `bpl-${kind}`, about, text);
  }
}

// What needs sizes is done `later`.
export function makeCard(board, { tell }, later) {
  const card = make("div", "bpl-card", board);
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", "The step in words");
  const head = make("div", "bpl-words", card);
  const question = makeQuestion(card, tell);
  const words = make("div", "bpl-words", card);
  const fit = () => letScroll(card);

  let shown = "";
  function show(state, note) {
    const { card: now, remarks, question: asked, why } = state;
    const all = JSON.stringify([now, remarks, note, asked, why]);
    if (all === shown) return;
    shown = all;
    card.className = `bpl-card bpl-${predicts(state) ? "predict" : now.phase}`;
    question.show(state);
    question.say(note);
    words.hidden = predicts(state);
    fillHead(head, state);
    fillWords(words, state, note);
    later(() => {
      card.scrollTop = 0;
      const told = [...card.querySelectorAll(".bpl-question .bpl-note, .bpl-refused")].at(-1);
      // What is said to an answer is in sight, though the card may be too low for the question as well.
      if (told) card.scrollTop = told.getBoundingClientRect().bottom - card.getBoundingClientRect().bottom + 6;
      fit();
      for (const line of words.querySelectorAll(".bpl-line")) letScroll(line);
    });
  }

  return { show, fit };
}
