/**
 * Usage: node chromium.mjs ADDRESS MODULES SERIAL_JS PLAN.json IMAGE RESULT.json: one session in a page in headless Chromium; leaves the
 * result as JSON. The page comes from a server on this machine, which has nothing but the files of the test.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [address, modules, serial, planFile, imageFile, resultFile] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, "utf8"));
const here = dirname(fileURLToPath(import.meta.url));
const files = {
  "/": [join(here, "page.html"), "text/html"],
  "/session.mjs": [join(here, "session.mjs"), "text/javascript"],
  "/serial.js": [serial, "text/javascript"],
  "/esptool.js": [`${modules}/node_modules/esptool-js/bundle.js`, "text/javascript"],
  "/image": [imageFile, "application/octet-stream"],
};
const server = createServer((request, response) => {
  const [file, type] = files[request.url] ?? [];
  response.writeHead(file ? 200 : 404, { "content-type": type ?? "text/plain" });
  response.end(file ? readFileSync(file) : "");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const profile = mkdtempSync(join(tmpdir(), "espsim-chromium-"));
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.ESPSIM_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => process.stderr.write(`${error}\n`));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const result = await page.evaluate((given) => globalThis.run(given.address, given.plan), { address, plan });
  writeFileSync(resultFile, JSON.stringify(result));
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
