/** Usage: node node.mjs ADDRESS MODULES SERIAL_JS PLAN.json IMAGE RESULT.json: one session in Node; leaves the result as JSON. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { session } from "./session.mjs";

const [address, modules, serial, planFile, imageFile, resultFile] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, "utf8"));
const installed = createRequire(`${modules}/`);
const load = (path) => import(pathToFileURL(path).href);
// A release tells what it does on the console too.
console.log = () => {};
const { default: WebSocket } = await load(installed.resolve("ws").replace(/index\.js$/, "wrapper.mjs"));
const { VirtualSerialPort } = await load(serial);
const esptool = await load(`${modules}/node_modules/esptool-js/lib/index.js`);
const port = await VirtualSerialPort.connect(address, { WebSocket });
const image = new Uint8Array(readFileSync(imageFile));
const result = await session(esptool, port, plan, image, (data) => createHash("md5").update(data).digest("hex"));
await port.forget();
writeFileSync(resultFile, JSON.stringify(result));
