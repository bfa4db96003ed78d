import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { discoveryStatusSchema } from '@hexachord/protocol/rest'
import { fileUploadMemory, keyStore, readSettings } from '../../../client/cli/settings/index.ts'
import { parseAnswer, problemError } from '../../../client/sdk/connect/index.ts'
import { changes } from '../../../client/sdk/uploading/follow-upload.ts'
import { named, never, type Target, textTarget } from '../target.ts'

const hash = `0x${'5a'.repeat(32)}`
const url = 'https://discovery.example/status'
const status = {
  ...{ service: 'discovery-provider', version: '0.1.0', chainId: 31_337, catalog: `0x${'ca'.repeat(20)}` },
  ...{ head: 9, indexed: 9, finalized: 7, lagBlocks: 0, rulesVersion: 1, stateHash: hash, stateHashBlock: 8 },
}
const problem = {
  type: 'urn:hexachord:problem:disk-full',
  title: 'Disk full',
  status: 507,
  detail: 'no room',
}
const saved = {
  key: 'a',
  saved: {
    subject: `0x${'a1'.repeat(20)}-7`,
    node: 'https://node.example',
    url: 'https://node.example/uploads/1',
  },
}
const upload = {
  ...{ id: '1', version: 3, subject: `0x${'a1'.repeat(20)}-7`, state: 'queued', reused: false, notes: [] },
  ...{ filename: 'a.flac', byteLength: 10, receivedBytes: 10, ahead: 2, renditions: [], blocks: 0 },
  ...{
    playable: null,
    track: null,
    replicas: [],
    receipts: [],
    copies: 3,
    neededCopies: 2,
    heldCopies: 0,
    ms: {},
  },
}
const isOrigin = (text: string) => new URL(text).origin === text

export async function targets(folder: string): Promise<readonly Target[]> {
  const home = path.join(folder, 'client')
  const env = { HEXACHORD_HOME: home }
  const uploads = path.join(home, 'uploads')
  mkdirSync(uploads, { recursive: true })
  return [
    textTarget({
      name: 'client/answer',
      seeds: [JSON.stringify(status)],
      refuses: named('ApiError'),
      read: (text) =>
        assert.equal(parseAnswer(text, discoveryStatusSchema, url).service, 'discovery-provider'),
    }),
    textTarget({
      name: 'client/upload-events',
      seeds: [
        `: still here\n\nevent: upload\nid: 3\ndata: ${JSON.stringify(upload)}\n\nevent: other\ndata: x\n\n`,
      ],
      refuses: named('ApiError'),
      async read(text) {
        const http = async () => new Response(text)
        for await (const { version } of changes({ http }, url, { after: 1, signal: undefined, moved() {} })) {
          assert.ok(Number.isSafeInteger(version))
        }
      },
    }),
    textTarget({
      name: 'client/problem',
      seeds: [JSON.stringify(problem), '<html>Bad gateway</html>'],
      refuses: never,
      read(text) {
        const error = problemError(text, { url, status: 507, retryAfter: text.slice(0, 20) })
        assert.ok(error.message.length > 0)
        assert.ok(error.retryAfterMs === undefined || error.retryAfterMs > 0)
      },
    }),
    textTarget({
      name: 'client/settings-file',
      seeds: ['{"creators":["https://a.example","https://b.example:1"],"discovery":"https://d.example"}'],
      refuses: named('UsageError'),
      async read(text) {
        writeFileSync(path.join(home, 'config.json'), text)
        const { discovery, creators, gateways } = await readSettings(env)
        for (const list of [discovery, creators, gateways]) assert.ok(list === 'find' || list.every(isOrigin))
      },
    }),
    textTarget({
      name: 'client/settings-variables',
      seeds: ['https://a.example, https://b.example:1', 'http://127.0.0.1:4610'],
      refuses: named('UsageError'),
      async read(text) {
        writeFileSync(path.join(home, 'config.json'), '{}')
        const { discovery, gateways } = await readSettings(
          { ...env, HEXACHORD_GATEWAYS: text },
          { discovery: text },
        )
        for (const list of [discovery, gateways]) assert.ok(list.every(isOrigin))
      },
    }),
    textTarget({
      name: 'client/key-file',
      seeds: [`{"address":"${'a1'.repeat(20)}","version":3}`],
      refuses: named('KeyError'),
      async read(text) {
        writeFileSync(path.join(home, 'key.json'), text)
        assert.match(await keyStore(home).address(), /^0x[0-9a-f]{40}$/)
      },
    }),
    textTarget({
      name: 'client/upload-memory',
      seeds: [JSON.stringify(saved)],
      refuses: never,
      // A damaged file costs a fresh start, never the command.
      async read(text) {
        writeFileSync(path.join(uploads, 'a.json'), text)
        assert.ok((await fileUploadMemory(home).list()).length <= 1)
      },
    }),
  ]
}
