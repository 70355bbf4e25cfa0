// One Chromium, and what every page of it must keep to: no error, no violation of the policy, nobody else asked.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const packages = fileURLToPath(new URL("../../../var/npm/", import.meta.url));
const chromiumPath = "/usr/bin/chromium";
for (const needed of [chromiumPath, `${packages}node_modules/playwright-core`, `${packages}node_modules/axe-core`]) {
  assert(existsSync(needed), `no ${needed}: run \`.ci/prerequisites tests\``);
}
const require = createRequire(packages);
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export class Browser {
  /** Everything that was asked for, wherever. */
  requests = [];
  /** What a page complained of. */
  complaints = [];

  constructor(chromium, url) {
    this.chromium = chromium;
    this.url = url;
  }

  static async start(url) {
    // A profile of its own, thrown away at the end.
    return new Browser(await chromium.launch({ executablePath: chromiumPath, args: flags }), url);
  }

  /** A page in a context of its own. */
  async page({ width = 1280, dark = false, script = true } = {}) {
    const context = await this.chromium.newContext({
      viewport: { width, height: 900 },
      colorScheme: dark ? "dark" : "light",
      javaScriptEnabled: script,
      reducedMotion: "reduce",
      baseURL: this.url,
    });
    context.setDefaultTimeout(20_000);
    context.on("request", (request) => this.requests.push(request.url()));
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complaints.push(message.text());
    });
    context.on("weberror", (error) => this.complaints.push(String(error.error())));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) =>
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
    return context.newPage();
  }

  /** Nothing was wrong so far, and only the appliance was asked. */
  assertClean() {
    assert.deepEqual(this.complaints, []);
    assert(this.requests.length > 0);
    assert.deepEqual(this.requests.filter((url) => new URL(url).origin !== this.url), []);
  }
}

/** No rule of axe is broken, those of the current WCAG A and AA and its best practices. */
export async function assertAccessible(page, what) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => axe.run(document));
  const broken = found.violations.map((rule) => `${rule.id}: ${rule.help}: ${rule.nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(broken, [], what);
  assert(found.passes.length > 10, "axe looked at something");
}

/** Nothing is wider than the window. */
export async function assertFits(page, what) {
  const over = await page.evaluate(() => {
    const scrolls = (element) => element.closest(".scroll, pre");
    const wide = [...document.querySelectorAll("main *")].filter((element) => !scrolls(element)
      && !element.closest(".unseen") && element.getBoundingClientRect().right > innerWidth + 1);
    return { page: document.documentElement.scrollWidth - innerWidth, wide: wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 120)) };
  });
  assert.deepEqual(over, { page: 0, wide: [] }, what);
}

/** Tab reaches every control in its order, each is seen to have the focus, and it is on the screen. */
export async function assertKeyboard(page, what) {
  const all = await page.evaluate(() => {
    const seen = (element) => element.checkVisibility() && !element.closest("details:not([open]) > :not(summary)");
    const controls = document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']");
    return [...controls].filter(seen).map((element, place) => (element.dataset.place = String(place)));
  });
  assert(all.length > 3, what);
  await page.evaluate(() => {
    // From the top, wherever somebody clicked before.
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    scrollTo(0, 0);
  });
  for (const place of all) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const { top, bottom, left, right } = element.getBoundingClientRect();
      const inside = top < innerHeight && bottom > 0 && left < innerWidth && right > 0;
      return { place: element.dataset.place, seen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2, inside, html: element.outerHTML.slice(0, 100) };
    });
    assert.deepEqual({ ...focus, html: "" }, { place, seen: true, inside: true, html: "" }, `${what}: ${focus.html}`);
  }
}
