import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { packLines, type SentVoucher } from '@hexachord/protocol/payments'
import { type Domain, signMessage } from '@hexachord/protocol/signing'
import { describe, expect, test } from '@jest/globals'
import { hexlify } from 'ethers'
import { keyFromPrivateKey } from '../keys/index.ts'
import { adoptReport, NodeRefused } from './channel-report.ts'
import { channelWith, emptyState } from './purse-state.ts'
import { ownSpender } from './spending-key.ts'

const domain: Domain = {
  ...{ name: 'Hexachord', version: '1', chainId: 31_337 },
  verifyingContract: `0x${'e5'.repeat(20)}`,
}
const node: Address = `0x${'0d'.repeat(20)}`
const nobody: Address = `0x${'00'.repeat(20)}`
const spender = ownSpender(keyFromPrivateKey(`0x${'11'.repeat(32)}`))
const party = { domain, spender, node }
const track = subjectToBytes32(subjectOf(node, 7n))

async function voucher(base: bigint, amount: bigint): Promise<SentVoucher> {
  const lines = packLines([{ track, curator: nobody, amount }])
  const fields = { payer: spender.payer, base, cumulative: base + amount }
  const signature = await signMessage(spender.key.signer, domain, 'Voucher', { ...fields, node, lines })
  return { ...fields, lines: hexlify(lines), signature }
}

/** Three units of 100 were signed, the last voucher for all of them. */
const newest = await voucher(0n, 300n)
const ours = {
  ...channelWith(emptyState(), node),
  ...{ cumulative: 300n, lines: [{ track, curator: nobody, amount: 300n }], signature: newest.signature },
}
const reported = {
  ...{ payer: spender.payer, key: spender.key.address, node, reserved: 1_000n, released: 0n, awaited: 0n },
  ...{ base: 0n, last: newest, frozen: null },
}

describe('a node that redeems an old voucher', () => {
  const after = { ...reported, base: 100n, last: null }

  test('has lost what came after: the purse goes on from what the chain settled, and signs nothing twice', () => {
    const adopted = adoptReport(ours, after, party, 100n)
    expect(adopted).toMatchObject({ base: 100n, cumulative: 100n, lines: [], signature: null })
  })

  test('is not believed without the chain', () => {
    expect(() => adoptReport(ours, after, party)).toThrow(NodeRefused)
    expect(() => adoptReport(ours, after, party, 0n)).toThrow('which this purse never signed')
  })

  test('and shows it as frozen is paid what was signed since, once', async () => {
    const frozen = await voucher(0n, 100n)
    const adopted = adoptReport(ours, { ...after, frozen }, party)
    expect(adopted).toMatchObject({ base: 100n, cumulative: 300n, lines: [{ amount: 200n }] })
  })
})

describe('a node that sends an old voucher back', () => {
  test('as its last has no smaller one signed', async () => {
    const last = await voucher(0n, 100n)
    expect(adoptReport(ours, { ...reported, last }, party)).toMatchObject({ base: 0n, cumulative: 300n })
  })

  test('of a base that is over goes back to nothing', async () => {
    const later = { ...ours, base: 100n }
    expect(() => adoptReport(later, { ...reported, base: 0n }, party)).toThrow(NodeRefused)
  })
})
