import { hkdfSync } from 'node:crypto'
import type { Address } from '@hexachord/protocol/names'
import { Wallet } from 'ethers'

/** The key by which this provider signs for one listener who lets it. Each listener has another, so that creator nodes,
 * whose budgets count by key, do not take all of them for one.
 * @param secret 32 bytes, of this provider */
export function writingKeyOf(secret: Buffer, account: Address): Wallet {
  const key = hkdfSync('sha256', secret, Buffer.alloc(0), `writing key of ${account}`, 32)
  return new Wallet(`0x${Buffer.from(key).toString('hex')}`)
}
