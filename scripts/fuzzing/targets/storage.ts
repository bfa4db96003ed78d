import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isPublicAddress } from '@hexachord/platform/http'
import { cidOf, decodeDagJson, encodeDagJson, linkTo } from '@hexachord/protocol/cids'
import { peerIdFromHex, peerIdToHex } from '@hexachord/storage/peers'
import { rootsAtPeers } from '../../../storage/archives/peer-archives.ts'
import { carEtag, readCarRequest, requireBytesWithin } from '../../../storage/gateway/car.ts'
import { isOnlyIfCached, isUnchanged, requestedRange } from '../../../storage/gateway/conditions.ts'
import { contentDisposition, contentTypeOf } from '../../../storage/gateway/file-names.ts'
import { carParameters, chooseFormat } from '../../../storage/gateway/formats.ts'
import { resolvePath } from '../../../storage/gateway/path-resolution.ts'
import { readCid } from '../../../storage/gateway/requested-block.ts'
import { createKuboRpc, type KuboRpc } from '../../../storage/ipfs/kubo/rpc.ts'
import { rpcFailure } from '../../../storage/ipfs/kubo/rpc-failure.ts'
import { isDialable } from '../../../storage/peers/peer-addresses.ts'
import { denylistLines, parseDenylist } from '../../../storage/takedowns/denylist.ts'
import { answering } from '../answering.ts'
import { named, never, problems, type Target, textTarget } from '../target.ts'

const size = 5_000
const peer = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA'

export async function targets(): Promise<readonly Target[]> {
  const cid = await cidOf(new Uint8Array([1]), 'raw')
  const document = encodeDagJson({ a: [linkTo(cid), { b: 'c' }], '': 1 })
  const root = await cidOf(document, 'dag-json')
  assert.ok(decodeDagJson(document))
  const v0 = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
  const kubo = await startKubo()
  const entry = {
    ...{ epoch: 7, fromBlock: 1, toBlock: 9, logs: 3, byteLength: 100 },
    stateHash: `0x${'5a'.repeat(32)}`,
  }
  const list = [...denylistLines({ name: 'ours' }, [{ cid }, { cid: root, hidden: true }, { comment: 'a' }])]
  return [
    textTarget({
      name: 'storage/gateway-cid',
      seeds: [cid, root, v0, 'bafkqaaa', 'k2jmtxtyo3k2v7ll0gqhbwqr84e9w9v4p0wmdk2qvkyyhxb5qbuxg1hs'].filter(
        canBeRead,
      ),
      refuses: problems(400),
      read(text) {
        const found = readCid(text)
        assert.equal(readCid(found.cid).cid, found.cid)
        if (found.kind === 'block') assert.match(found.cid, /^b[a-z2-7]+$/)
      },
    }),
    textTarget({
      name: 'storage/gateway-accept',
      seeds: [
        'application/vnd.ipld.car; version=1; order=dfs; dups=n, */*;q=0.1',
        'text/html,application/json;q=0.9',
      ],
      refuses: problems(400, 406),
      read(accept) {
        const { format } = chooseFormat(new URLSearchParams(), accept, 'raw')
        assert.ok(['raw', 'car', 'file'].includes(format))
        readCarRequest(new URLSearchParams(), carParameters(accept))
      },
    }),
    textTarget({
      name: 'storage/gateway-query',
      seeds: [
        'format=car&dag-scope=entity&entity-bytes=0:1023&car-order=dfs&car-dups=n',
        'format=raw&filename=a.m4s',
      ],
      refuses: problems(400, 406),
      read(text) {
        const query = new URLSearchParams(text)
        const car = readCarRequest(query, new Map())
        requireBytesWithin(car, size)
        assert.match(carEtag([cid], car), /^W\/"[ -!#-~]+"$/)
        chooseFormat(query, undefined, 'dag-json')
        const filename = query.get('filename') ?? 'a'
        assert.match(contentDisposition('attachment', filename), /^[\x20-\x7e]+$/)
        assert.match(contentTypeOf(filename), /^[a-z]+\/[a-z0-9.-]+(; charset=utf-8)?$/)
      },
    }),
    textTarget({
      name: 'storage/gateway-range',
      seeds: [
        'bytes=0-99',
        'bytes=-5',
        'bytes=10-',
        'bytes=0-1,5-9',
        '"a", W/"b"',
        'only-if-cached, max-age=0',
      ],
      refuses: never,
      read(text) {
        const part = requestedRange({ range: text }, size, '"a"')
        if (typeof part !== 'string') assert.ok(part.start >= 0 && part.end >= part.start && part.end < size)
        isUnchanged({ 'if-none-match': text }, '"a"')
        isOnlyIfCached({ 'cache-control': text })
      },
    }),
    textTarget({
      name: 'storage/gateway-path',
      seeds: ['a/0', ''],
      refuses: problems(404, 501),
      async read(path) {
        const segments = path.split('/').filter((segment) => segment !== '')
        const blocks = await resolvePath(root, segments, async () => document)
        assert.equal(blocks[0], root)
      },
    }),
    textTarget({
      name: 'storage/peer-id',
      seeds: [peer],
      refuses: named('PeerIdError'),
      read: (text) => assert.equal(peerIdToHex(peerIdFromHex(peerIdToHex(text)) ?? ''), peerIdToHex(text)),
    }),
    textTarget({
      name: 'storage/registered-peer-id',
      seeds: [peerIdToHex(peer)],
      refuses: named('PeerIdError'),
      read(hex) {
        const text = peerIdFromHex(hex as `0x${string}`)
        if (text !== undefined) assert.equal(peerIdFromHex(peerIdToHex(text)), text)
      },
    }),
    textTarget({
      name: 'storage/peer-address',
      seeds: [
        '/ip4/203.0.113.7/tcp/4001',
        '/ip6/2606:4700::1111/tcp/4001/p2p/12D3KooW',
        '/dns4/node.example/tcp/4001',
      ],
      refuses: never,
      // Nobody is sent into a private network, however its address is written.
      read(text) {
        if (!isDialable(text, false)) return
        const [, host = ''] = text.split('/').filter((part) => part !== '')
        assert.ok(isPublicAddress(host), `${text} leads to ${host}`)
      },
    }),
    textTarget({
      name: 'storage/archive-list',
      seeds: [JSON.stringify({ items: [{ ...entry, root }], next: null })],
      refuses: never,
      async read(text) {
        const roots = await rootsAtPeers(entry.epoch, ['https://a.example'], answering(text))
        for (const one of roots) assert.equal(readCid(one).kind, 'block')
      },
    }),
    textTarget({
      name: 'storage/kubo-answer',
      seeds: [
        JSON.stringify({
          ID: peer,
          Addresses: [`/ip4/127.0.0.1/tcp/4001/p2p/${peer}`],
          Key: cid,
          Size: 5,
          Peers: [],
        }),
      ],
      refuses: named('KuboFailed', 'KuboUnavailable'),
      shortRun: 100,
      async read(text) {
        kubo.answer = text
        const { peerId, addresses } = await kubo.rpc.identity()
        assert.match(peerId, /^[1-9A-Za-z]+$/)
        assert.ok(addresses.every((address) => address.startsWith('/')))
        const bytes = await kubo.rpc.size(cid)
        assert.ok(bytes === null || Number.isSafeInteger(bytes))
      },
    }),
    textTarget({
      name: 'storage/kubo-failure',
      seeds: [
        'block was not found locally (offline)',
        'pinned: recursively',
        'no space left on device',
        '{"Message"',
      ],
      refuses: never,
      read(text) {
        for (const timedOut of [false, true]) {
          const failure = rpcFailure('http://127.0.0.1:5001/api', new Error(text), { timedOut })
          assert.ok(['KuboFailed', 'KuboUnavailable', 'StorageFull'].includes(failure.name))
          assert.ok(timedOut || failure.message.length < 500)
        }
      },
    }),
    textTarget({
      name: 'storage/denylist',
      seeds: [
        list.join(''),
        `/ipfs/${cid}\n!/ipfs/${root}\n/ipns/example.com\n//${'ab'.repeat(32)}\nnonsense\n`,
      ],
      refuses: named('DenylistError'),
      read(text) {
        const { rules, ignored, bad, badLines, verdict } = parseDenylist(text)
        assert.ok(rules + ignored + bad <= text.split('\n').length && badLines.length <= bad)
        assert.ok([undefined, 'deny', 'allow'].includes(verdict(cid)))
      },
    }),
  ]
}

/** What answers in a Kubo's place, and a client of it. */
async function startKubo(): Promise<{ rpc: KuboRpc; answer: string }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(kubo.answer)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // It lives as long as the run, and is no reason for that to go on.
  server.unref()
  const { port } = server.address() as AddressInfo
  const kubo = { rpc: createKuboRpc({ url: `http://127.0.0.1:${port}` }), answer: '' }
  return kubo
}

function canBeRead(text: string): boolean {
  try {
    return readCid(text).cid !== ''
  } catch {
    return false
  }
}
