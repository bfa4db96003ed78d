import assert from 'node:assert/strict'
import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { packLines, sessionReportSchema, tillJson, unpackLines } from '@hexachord/protocol/payments'
import { type Domain, signMessage } from '@hexachord/protocol/signing'
import { examplePrivateKey } from '@hexachord/protocol/vectors'
import { getBytes, hexlify, Wallet } from 'ethers'
import { parseAnswer } from '../../../client/sdk/connect/index.ts'
import { keyFromPrivateKey } from '../../../client/sdk/keys/index.ts'
import { adoptReport } from '../../../client/sdk/paying/channel-report.ts'
import { channelWith, emptyState } from '../../../client/sdk/paying/purse-state.ts'
import { ownSpender } from '../../../client/sdk/paying/spending-key.ts'
import { readOffer } from '../../../client/sdk/paying/till.ts'
import { named, type Target, textTarget } from '../target.ts'

const domain: Domain = {
  ...{ name: 'Hexachord', version: '1', chainId: 31_337 },
  verifyingContract: `0x${'e5'.repeat(20)}`,
}
const wallet = new Wallet(examplePrivateKey)
const me = wallet.address.toLowerCase() as Address
const spender = ownSpender(keyFromPrivateKey(examplePrivateKey))
const node: Address = `0x${'0d'.repeat(20)}`
const nobody: Address = `0x${'00'.repeat(20)}`
const subject = subjectOf(node, 7n)
const origin = 'https://node.example'

/** What a wallet reads of tills, which may be anybody's. */
export async function targets(): Promise<readonly Target[]> {
  const lines = packLines([{ track: subjectToBytes32(subject), curator: nobody, amount: 500n }])
  const fields = { payer: me, base: 0n, cumulative: 500n }
  const signature = await signMessage(wallet, domain, 'Voucher', { ...fields, node, lines })
  const last = { ...fields, lines: hexlify(lines), signature }
  const channel = {
    ...{ payer: me, key: me, node, reserved: 1_000n, released: 0n, awaited: 0n, base: 0n },
    ...{ last, frozen: null },
  }
  const report = {
    ...{ session: 'c2Vzc2lvbg', expiresAt: 9_000_000, subject, manifest: 'bafy', curator: nobody },
    ...{ unitPrice: 100n, units: 4, paidUnits: [0, 1], credit: 300n, channel },
  }
  const asked = { operator: node, endpoint: origin, leastNodeBps: 500, previewUnits: 0, expiresAt: 9_000_000 }
  const offer = {
    ...{ ...asked, escrow: domain.verifyingContract, chainId: domain.chainId },
    signature: await signMessage(wallet, domain, 'TillOffer', asked),
  }
  return [
    textTarget({
      name: 'client/till-offer',
      seeds: [JSON.stringify(offer)],
      refuses: named('ApiError', 'NodeRefused'),
      async read(text) {
        const register = { operator: node, endpoint: origin, hotKey: me }
        const home = await readOffer(async () => new Response(text), register, { domain, now: () => 1 })
        const { escrow: _, chainId: __, signature: ___, ...said } = home.offer
        // JSON knows a zero below zero, which is signed as zero.
        assert.deepEqual({ ...said, previewUnits: said.previewUnits + 0 }, asked)
      },
    }),
    textTarget({
      name: 'client/till-report',
      seeds: [tillJson(report), tillJson({ ...report, channel: { ...channel, base: 500n, frozen: last } })],
      refuses: named('ApiError', 'NodeRefused'),
      read(text) {
        const read = parseAnswer(text, sessionReportSchema, `${origin}/pay/sessions`)
        const known = channelWith(emptyState(), node)
        const adopted = adoptReport(known, read.channel, { domain, spender, node })
        // Without a memory only what we signed is believed.
        const signed = unpackLines(getBytes(last.lines))
        assert.ok(adopted === known || adopted.cumulative === 500n || adopted.lines.length === 0)
        for (const line of adopted.lines) assert.deepEqual(line, signed[0])
      },
    }),
  ]
}
