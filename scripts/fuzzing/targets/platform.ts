import assert from 'node:assert/strict'
import { parseNetworkFile } from '@hexachord/contracts/networks'
import { decodeRevert } from '@hexachord/platform/chain'
import { isPublicAddress } from '@hexachord/platform/http'
import { AbiCoder, concat, Interface } from 'ethers'
import { blockOf, logsOf } from '../../../platform/chain/chain-values.ts'
import { byteSize, commaList, httpUrl, origin, wholeNumber } from '../../../platform/process/variables.ts'
import { named, never, type Target, textTarget } from '../target.ts'

const hash = `0x${'5a'.repeat(32)}`
const address = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
const block = { number: '0x10', hash, parentHash: hash, timestamp: '0x65' }
const log = {
  ...{
    address,
    topics: [hash],
    data: '0x1234',
    blockNumber: '0x10',
    blockHash: hash,
    blockTimestamp: '0x65',
  },
  ...{ transactionHash: hash, transactionIndex: '0x0', logIndex: '0x1' },
}
const network = {
  ...{ name: 'local', chainId: 31_337, firstBlock: 0, finalityBlocks: 2, epochBlocks: 16 },
  ...{ bytesPerToken: '1000000000', minimumStakeWei: '1' },
  contracts: { catalog: address, operatorRegistry: address, stakeVault: address, token: address },
}

const isNoJson = (error: unknown) => error instanceof SyntaxError

export async function targets(): Promise<readonly Target[]> {
  const errors = new Interface(['error ContentTooLong(uint256 length, uint256 limit)'])
  const reverted = [
    errors.encodeErrorResult('ContentTooLong', [9_000, 8_192]),
    concat(['0x08c379a0', AbiCoder.defaultAbiCoder().encode(['string'], ['no'])]),
    concat(['0x4e487b71', AbiCoder.defaultAbiCoder().encode(['uint256'], [17])]),
  ]
  return [
    textTarget({
      name: 'platform/blocks-of-a-node',
      seeds: [JSON.stringify(block)],
      refuses: (error) => isNoJson(error) || named('MalformedAnswer')(error),
      read(text) {
        const found = blockOf(JSON.parse(text))
        if (found !== null) assert.ok(Number.isSafeInteger(found.number) && found.hash.startsWith('0x'))
      },
    }),
    textTarget({
      name: 'platform/logs-of-a-node',
      seeds: [JSON.stringify([log, log])],
      refuses: (error) => isNoJson(error) || named('MalformedAnswer')(error),
      read(text) {
        for (const { logIndex, topics } of logsOf(JSON.parse(text))) {
          assert.ok(Number.isSafeInteger(logIndex) && topics.every((topic) => topic.startsWith('0x')))
        }
      },
    }),
    textTarget({
      name: 'platform/revert-reason',
      seeds: reverted,
      refuses: never,
      read: (data) => assert.ok(decodeRevert(data, [errors]).length > 0),
    }),
    textTarget({
      name: 'platform/network-file',
      seeds: [JSON.stringify(network)],
      refuses: (error) => isNoJson(error) || named('NetworkFileError')(error),
      read: (text) => assert.deepEqual(parseNetworkFile(JSON.parse(text), 'again'), JSON.parse(text)),
    }),
    textTarget({
      name: 'platform/variables',
      seeds: ['500MB', '20 GiB', 'https://node.example:4600', 'a, b', '65535'],
      refuses: never,
      read(text) {
        const bytes = byteSize.safeParse(text).data
        if (bytes !== undefined) assert.ok(Number.isSafeInteger(bytes) && bytes >= 0)
        const found = origin.safeParse(text).data
        if (found !== undefined) assert.equal(origin.parse(found), found)
        const port = wholeNumber(0, 65_535).safeParse(text).data
        if (port !== undefined) assert.ok(port >= 0 && port <= 65_535)
        httpUrl.safeParse(text)
        commaList(httpUrl).safeParse(text)
      },
    }),
    textTarget({
      name: 'platform/public-address',
      seeds: ['1.1.1.1', '2606:4700:4700::1111', '::ffff:10.0.0.1', '64:ff9b::7f00:1'],
      refuses: never,
      read: (text) => assert.equal(typeof isPublicAddress(text), 'boolean'),
    }),
  ]
}
