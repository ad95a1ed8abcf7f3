/** What `VirtualSerialPort` shares with Web Serial's `SerialPort`. Runs behind a device that echoes, at ESPSIM_PORT. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const { ESPSIM_PORT: address, ESPSIM_SERIAL_JS: serial, ESPSIM_NODE_MODULES: modules } = process.env;
const WebSocket = createRequire(`${modules}/`)("ws");
const { VirtualSerial, VirtualSerialPort } = await import(pathToFileURL(serial).href);

const named = (name) => ({ name });

async function withPort(use) {
  let port;
  // The server lets go of the last test's connection a moment after this end has.
  for (let tries = 0; !port; tries++) {
    port = await VirtualSerialPort.connect(address, { WebSocket }).catch((error) => {
      if (tries > 1000) throw error;
    });
  }
  try {
    await use(port);
  } finally {
    await port.forget();
  }
}

async function write(port, data) {
  const writer = port.writable.getWriter();
  await writer.write(data);
  writer.releaseLock();
}

async function read(port, count) {
  const reader = port.readable.getReader();
  const result = [];
  while (result.length < count) result.push(...(await reader.read()).value);
  reader.releaseLock();
  return result;
}

test("a wrong token is reported as a network error", () =>
  assert.rejects(VirtualSerialPort.connect(`${address}x`, { WebSocket }), named("NetworkError")));

test("without any WebSocket the error says what to do", () =>
  assert.rejects(VirtualSerialPort.connect(address, { WebSocket: null }), /Pass one/));

test("it names the adapter before it is opened", () =>
  withPort(async (port) => {
    assert.deepEqual(port.getInfo(), { usbVendorId: 0x10c4, usbProductId: 0xea60 });
    assert.equal(port.connected, true);
    assert.equal(port.readable, null);
    assert.equal(port.writable, null);
  }));

test("every byte value comes back", () =>
  withPort(async (port) => {
    const everything = Uint8Array.from({ length: 256 }, (_, value) => value);
    await port.open({ baudRate: 921600 });
    await write(port, everything);
    assert.deepEqual(await read(port, 256), [...everything]);
    await port.close();
  }));

test("a large chunk is written in order, and comes back in order", () =>
  withPort(async (port) => {
    const data = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7919) >> 3);
    await port.open({ baudRate: 4_000_000 });
    const [, back] = await Promise.all([write(port, data), read(port, data.length)]);
    assert.deepEqual(Buffer.from(back), Buffer.from(data));
    await port.close();
  }));

test("any view and any buffer is a chunk, and nothing else is", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 921600 });
    await write(port, new Uint8Array([0, 1, 2, 3]).subarray(1, 3));
    await write(port, new Uint8Array([4]).buffer);
    await write(port, new DataView(new Uint8Array([5, 6]).buffer, 1));
    assert.deepEqual(await read(port, 4), [1, 2, 4, 6]);
    const writer = port.writable.getWriter();
    await assert.rejects(writer.write("text"), TypeError);
  }));

test("a chunk may be changed as soon as it was written", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 921600 });
    const chunk = new Uint8Array([1]);
    await write(port, chunk);
    chunk[0] = 2;
    assert.deepEqual(await read(port, 1), [1]);
  }));

test("it can be opened and closed again and again, at other rates", () =>
  withPort(async (port) => {
    for (const baudRate of [115200, 921600, 74880]) {
      await port.open({ baudRate });
      await write(port, new Uint8Array([baudRate & 255]));
      assert.deepEqual(await read(port, 1), [baudRate & 255]);
      await port.close();
      assert.equal(port.readable, null);
    }
  }));

test("what was not read before closing is gone", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 921600 });
    await write(port, new Uint8Array([1]));
    await port.close();
    await port.open({ baudRate: 921600 });
    await write(port, new Uint8Array([2]));
    assert.deepEqual(await read(port, 1), [2]);
  }));

test("wrong states are refused", () =>
  withPort(async (port) => {
    await assert.rejects(port.close(), named("InvalidStateError"));
    await assert.rejects(port.setSignals({ requestToSend: true }), named("InvalidStateError"));
    await assert.rejects(port.getSignals(), named("InvalidStateError"));
    await port.open({ baudRate: 115200 });
    await assert.rejects(port.open({ baudRate: 115200 }), named("InvalidStateError"));
    await port.close();
    await assert.rejects(port.close(), named("InvalidStateError"));
  }));

test("wrong options are refused, and undefined ones have their defaults", () =>
  withPort(async (port) => {
    const wrong = [
      undefined,
      {},
      { baudRate: 0 },
      { baudRate: 9600, dataBits: 9 },
      { baudRate: 9600, stopBits: 3 },
      { baudRate: 9600, parity: "mark" },
      { baudRate: 9600, flowControl: "xon" },
      { baudRate: 9600, bufferSize: 0 },
    ];
    for (const options of wrong) await assert.rejects(port.open(options), TypeError);
    await port.open({ baudRate: 9600, dataBits: undefined, stopBits: undefined, parity: undefined, bufferSize: undefined });
    await assert.rejects(port.setSignals({}), TypeError);
    await assert.rejects(port.setSignals(), TypeError);
    await port.setSignals({ dataTerminalReady: false, break: undefined });
    const inputs = ["clearToSend", "dataCarrierDetect", "dataSetReady", "ringIndicator"];
    assert.deepEqual(Object.keys(await port.getSignals()).sort(), inputs);
  }));

test("a port with a locked stream cannot be closed", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 115200 });
    const reader = port.readable.getReader();
    await assert.rejects(port.close(), TypeError);
    await reader.cancel();
    reader.releaseLock();
    const writer = port.writable.getWriter();
    await assert.rejects(port.close(), TypeError);
    writer.releaseLock();
    await port.close();
  }));

test("cancelling a reader ends its reading and gives way to a new stream", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 115200 });
    const first = port.readable;
    const reader = first.getReader();
    const reading = reader.read();
    await reader.cancel();
    assert.deepEqual(await reading, { value: undefined, done: true });
    assert.notEqual(port.readable, first);
    assert.equal(port.readable.locked, false);
    await write(port, new Uint8Array([9]));
    assert.deepEqual(await read(port, 1), [9]);
  }));

test("closing a writer waits until all is sent, and gives way to a new stream", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 921600 });
    const writer = port.writable.getWriter();
    writer.write(new Uint8Array(5000));
    await writer.close();
    await write(port, new Uint8Array([1]));
    assert.equal((await read(port, 5001))[5000], 1);
  }));

test("a write that the board does not take can be aborted", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 110 });
    const writer = port.writable.getWriter();
    const writing = writer.write(new Uint8Array(100_000));
    const refused = assert.rejects(writing);
    await writer.abort(new Error("enough"));
    await refused;
    writer.releaseLock();
    await port.close();
  }));

test("a byte reader works", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 921600 });
    await write(port, new Uint8Array([1, 2, 3]));
    const reader = port.readable.getReader({ mode: "byob" });
    const { value } = await reader.read(new Uint8Array(1));
    assert.deepEqual([...value], [1]);
    reader.releaseLock();
    assert.deepEqual(await read(port, 2), [2, 3]);
  }));

test("when the board is gone, everything that waits learns it", () =>
  withPort(async (port) => {
    await port.open({ baudRate: 110 });
    let events = 0;
    port.addEventListener("disconnect", () => (events += 1));
    port.ondisconnect = () => (events += 10);
    const reading = assert.rejects(port.readable.getReader().read(), named("NetworkError"));
    const writing = assert.rejects(port.writable.getWriter().write(new Uint8Array(100_000)), named("NetworkError"));
    const calling = assert.rejects(port.getSignals(), named("NetworkError"));
    await port.forget();
    await Promise.all([reading, writing, calling]);
    assert.equal(events, 11);
    assert.equal(port.connected, false);
    assert.equal(port.readable, null);
    assert.equal(port.writable, null);
    await port.close();
    await assert.rejects(port.open({ baudRate: 9600 }), named("NetworkError"));
  }));

test("a page's choice of ports falls on the first that fits", () =>
  withPort(async (port) => {
    const ports = new VirtualSerial([port]);
    assert.deepEqual(await ports.getPorts(), [port]);
    assert.equal(await ports.requestPort(), port);
    assert.equal(await ports.requestPort({ filters: [{ usbVendorId: 1 }, { usbVendorId: 0x10c4 }] }), port);
    await assert.rejects(ports.requestPort({ filters: [{ usbVendorId: 0x10c4, usbProductId: 1 }] }), named("NotFoundError"));
    await port.forget();
    await assert.rejects(ports.requestPort(), named("NotFoundError"));
  }));
