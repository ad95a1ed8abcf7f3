/**
 * One job for an unmodified esptool-js in Node, over a virtual board's WebSocket, as the programs that embed it do one.
 *
 *     node flash.mjs ADDRESS MODULES SERIAL_JS JOB.json RESULT.json
 *
 * MODULES is a folder into which npm has installed esptool-js and ws. JOB has `action` (write, read, erase), `baud`, `places` (a list of
 * `address`, `size` and `file`) and `whole`. RESULT gets `error`, empty after success. The exit status is 0 then, else 1.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [address, modules, serial, jobFile, resultFile] = process.argv.slice(2);
const job = JSON.parse(readFileSync(jobFile, "utf8"));
const load = (path) => import(pathToFileURL(path).href);
const { default: WebSocket } = await load(createRequire(`${modules}/`).resolve("ws").replace(/index\.js$/, "wrapper.mjs"));
const { VirtualSerialPort } = await load(serial);
const { ESPLoader, Transport } = await load(`${modules}/node_modules/esptool-js/lib/index.js`);

const write = (text) => process.stdout.write(text);
const terminal = { clean() {}, write, writeLine: (text) => write(`${text}\n`) };
const port = await VirtualSerialPort.connect(address, { WebSocket });
const transport = new Transport(port, false);
let error = "";
try {
  const loader = new ESPLoader({ transport, baudrate: job.baud, romBaudrate: 115200, terminal });
  await loader.main();
  if (job.action === "write") {
    const fileArray = job.places.map(({ address, file }) => ({ address, data: new Uint8Array(readFileSync(file)) }));
    await loader.writeFlash({
      fileArray,
      flashSize: "keep",
      flashMode: "keep",
      flashFreq: "keep",
      eraseAll: false,
      compress: true,
      calculateMD5Hash: (image) => createHash("md5").update(image).digest("hex"),
    });
  } else if (job.action === "read") {
    for (const { address, size, file } of job.places) writeFileSync(file, await loader.readFlash(address, size));
  } else {
    await loader.eraseFlash();
  }
  await loader.after("hard_reset");
} catch (caught) {
  error = `${caught.name}: ${caught.message}`;
  write(`${error}\n`);
}
try {
  await transport.disconnect();
} catch (caught) {
  write(`${caught.name}: ${caught.message}\n`);
}
await port.forget();
writeFileSync(resultFile, JSON.stringify({ error }));
process.exit(error ? 1 : 0);
