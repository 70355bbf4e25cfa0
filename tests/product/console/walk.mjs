// A walk through the page with everything going on at once. Argument: what is true, as JSON. Where the world has to
// change meanwhile it says so in a line, and goes on when it is told to.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { Browser, assertAccessible, assertFits, assertKeyboard } from "./browser.mjs";

const facts = JSON.parse(process.argv[2]);
const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const station = async (name) => {
  console.log(name);
  await told.next();
};

const browser = await Browser.start(facts.url);

try {
  await whatIsShown();
  await entries();
  await everybody();
  await withoutScript();
  browser.assertClean();
  await refresh();
} finally {
  await browser.chromium.close();
}
process.exit(0);

/** The state, what needs attention, limits, counts, the policy. */
async function whatIsShown() {
  const page = await browser.page();
  await page.goto("/");
  assert.equal(await page.textContent("#word"), "PARTLY FROZEN");
  assert.equal(await page.title(), "PARTLY FROZEN \u00b7 Chancery");
  const attention = await page.innerText("#attention");
  for (const part of [
    `Key nist is frozen by admin socket: ${facts.reason.slice(0, 22)}`,
    "Request wd-large of watcher btc-watcher for key raw waits for 2 of alice, bob, carol; nobody agreed yet",
    "Policy version 2 waits and is in force in 23 h",
    "chancery policy veto 2",
    "operate.md#freeze",
    "Limit one destination, a week, to ",
  ]) {
    assert(attention.includes(part), `${part} is not in\n${attention}`);
  }
  assert(facts.images || attention.includes("\\u{202e}"), "what reorders text is made visible");
  assert.equal(await page.locator("#attention script, #attention img").count(), 0);

  const meters = await page.locator("meter").evaluateAll((all) =>
    all.map((meter) => ({ name: meter.getAttribute("aria-label").split(":")[0], text: meter.textContent, value: meter.value })));
  for (const { name, used, max, asset, window_seconds } of facts.limits) {
    const meter = meters.find((meter) => meter.name === name || (meter.name.startsWith(`${name}, key `) && meter.text.startsWith(`${used} of `)));
    assert(meter, `${name} of ${window_seconds} s`);
    assert(meter.text.startsWith(`${used} of ${max} ${asset ?? "signatures"}, `), meter.text);
    assert(Math.abs(meter.value - (Number(used) / Number(max)) * 100) < 0.006, `${meter.value}: ${used} of ${max}`);
  }
  assert(meters.some((meter) => meter.name.startsWith("one destination, a week, to bcrt1q")), "the fullest destination");

  await page.waitForSelector("#chart canvas");
  const history = await (await page.request.get("/history.json")).json();
  const sum = (numbers) => numbers.reduce((all, number) => all + number, 0);
  assert.deepEqual([sum(history.signed), history.time.length], [8, 1440]);
  assert.equal(await page.textContent(".totals strong"), "8");
  assert((await page.innerText(".tokens")).includes("SoftHSM"));
  await pictures(page);

  await page.click("nav >> text=Policy");
  const policy = await page.innerText("main");
  for (const part of ["Policy version 1", "Version 2 waits", "UNLIMITED", "customer withdrawals", "alice", "approve 2"]) {
    assert(policy.includes(part), `${part} is not in\n${policy}`);
  }
  assert(policy.includes("rule customer withdrawals changes: max_amount from \"0.5\" to \"0.9\""), policy);
  await page.context().close();
}

/** The filters find, pages turn, an entry proves itself. */
async function entries() {
  const page = await browser.page();
  await page.goto("/");
  const kinds = () => page.locator(".entries .kind").allInnerTexts();
  await page.selectOption("[name=outcome]", "refused");
  await page.click("text=Filter >> visible=true");
  assert.deepEqual(new Set(await kinds()), new Set(["denied"]));
  assert.equal(new URL(page.url()).searchParams.get("outcome"), "refused");
  await page.goto("/?request=wd-1");
  assert.deepEqual(await kinds(), ["denied", "signed", "accepted"], "wd-10 and wd-1");
  await page.goto("/?key=nist");
  assert.deepEqual(await kinds(), ["frozen", "signed", "accepted", "key"]);
  await page.goto("/?watcher=btc-watcher&kind=pending");
  assert.deepEqual(await kinds(), ["pending"]);
  await page.goto("/?kind=nonsense");
  assert((await page.innerText("#entry-list")).includes("no kind of entry"));

  await page.goto("/");
  const indices = [];
  for (;;) {
    indices.push(...(await page.locator(".entries tbody th").allInnerTexts()).map(Number));
    if (!(await page.locator("#older").count())) break;
    await page.click("#older");
  }
  assert.deepEqual(indices, [...indices.keys()].reverse(), "every entry once, the newest first");
  assert(indices.length >= facts.entries);

  await page.goto(`/entries/${facts.frozen}`);
  assert.equal(await page.locator("main script, main img").count(), 0);
  assert((await page.innerText("main")).includes(facts.reason.slice(0, 22)));
  await page.goto(`/entries/${facts.signed}`);
  assert((await page.innerText("h1")).includes("signed"));
  const download = page.waitForEvent("download");
  await page.click("text=Download the receipt");
  await (await download).saveAs(`${facts.downloads}/receipt.json`);
  await page.click("[rel=prev]");
  assert.equal(new URL(page.url()).pathname, `/entries/${facts.signed - 1}`);
  await page.context().close();
}

/** On a phone, in the dark, by keyboard alone, and read aloud. */
async function everybody() {
  const paths = ["/", "/policy", `/entries/${facts.signed}`, "/?kind=nonsense", "/entries/999999"];
  for (const [width, dark] of [[1280, false], [1280, true], [360, false]]) {
    const page = await browser.page({ width, dark });
    for (const path of paths) {
      const what = `${path} at ${width}${dark ? ", dark" : ""}`;
      await page.goto(path);
      if (path === "/") await page.waitForSelector("#chart canvas");
      // What is refreshed meanwhile is none of this.
      if (await page.locator("#pause").count()) await page.click("#pause");
      await assertAccessible(page, what);
      await assertFits(page, what);
      if (!dark && (width > 360 || path === "/")) await assertKeyboard(page, what);
    }
    await page.context().close();
    // The page that is not there is one of ours, and an error to the browser.
    browser.complaints = browser.complaints.filter((text) => !text.includes("404 (Not Found)"));
  }
}

/** Plain links and forms do. */
async function withoutScript() {
  const page = await browser.page({ script: false });
  await page.goto("/");
  assert.equal(await page.locator("#pause").isVisible(), false);
  assert.equal(await page.textContent("#word"), "PARTLY FROZEN");
  await page.click("summary");
  assert(await page.locator("#hours table").isVisible(), "the counts as a table");
  await page.selectOption("[name=kind]", "frozen");
  await page.click("button[type=submit]");
  assert.deepEqual(await page.locator(".entries .kind").allInnerTexts(), ["frozen"]);
  await page.click("text=Reload");
  assert.equal(new URL(page.url()).searchParams.get("kind"), "frozen");
  await page.click(".entries tbody a");
  assert.equal(new URL(page.url()).pathname, `/entries/${facts.frozen}`);
  await page.context().close();
}

/** The parts come anew, and nobody is disturbed by it; a freeze is seen, and silence is not taken for health. */
async function refresh() {
  const page = await browser.page();
  await page.clock.install();
  await page.goto("/");
  const parts = () => browser.requests.filter((url) => new URL(url).pathname === "/parts").length;
  const come = async (act) => {
    const before = parts();
    const answer = page.waitForResponse((response) => response.url().includes("/parts"));
    await act();
    await (await answer).finished();
    await page.waitForFunction(() => !document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling"));
    assert(parts() > before);
  };
  const pass = () => page.clock.runFor(5_000);

  await page.click("summary");
  await page.fill("[name=request]", "half a wo");
  await page.evaluate(() => scrollTo(0, 400));
  const made = await page.textContent(".made time");
  await page.waitForTimeout(1_100);
  await come(pass);
  assert.notEqual(await page.textContent(".made time"), made, "the parts are new");
  assert.equal(await page.inputValue("[name=request]"), "half a wo");
  assert.equal(await page.evaluate(() => document.activeElement.name), "request");
  assert.equal(await page.evaluate(() => scrollY), 400);
  assert(await page.locator("#hours").evaluate((details) => details.open), "what was opened stays open");
  await page.focus("#fact-policy");
  await page.waitForTimeout(1_100);
  await come(pass);
  assert.equal(await page.evaluate(() => document.activeElement.id), "fact-policy", "in a part that changed");

  await page.click("#pause");
  const before = parts();
  await page.clock.runFor(20_000);
  assert.equal(parts(), before, "paused");
  browser.assertClean();

  await station("freeze");
  await come(() => page.click("#pause"));
  // A look that had begun before the freeze may be shown first; the next refresh is this one.
  await page.waitForFunction(() => document.getElementById("word").textContent === "FROZEN");
  assert.equal(await page.title(), "FROZEN \u00b7 Chancery");
  assert((await page.innerText("#attention")).includes("Everything is frozen by admin socket: a drill."));
  browser.assertClean();

  await station("stop");
  await page.clock.runFor(5_000);
  await page.waitForSelector("#stale:not([hidden])");
  assert((await page.textContent("#stale")).startsWith("NOT ANSWERING. What is shown is as of "));
  assert.equal(await page.title(), "NOT ANSWERING \u00b7 Chancery");
}

/** For the book, where they are asked for. */
async function pictures(page) {
  if (!facts.images) return;
  const picture = (page, name, height) => page.screenshot({ path: `${facts.images}/${name}.png`, clip: { x: 0, y: 0, width: page.viewportSize().width, height }, fullPage: true });
  await picture(page, "console", 790);
  for (const [name, options] of [["console-dark", { dark: true }], ["console-phone", { width: 360 }]]) {
    const other = await browser.page(options);
    await other.goto("/");
    await other.waitForSelector("#chart canvas");
    await picture(other, name, 790);
    await other.context().close();
  }
}
