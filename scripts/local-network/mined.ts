import { setTimeout as wait } from 'node:timers/promises'
import type { TransactionResponse } from 'ethers'

const confirmWithinMs = 60_000
const receiptEveryMs = 30

/** Waits until a transaction is mined. Asks for the receipt itself: the `wait` of ethers leaves questions under way which
 * reject, unheard, when the provider is destroyed, and that ends the process.
 * @throws when it was reverted, or is not mined in time */
export async function mined({ provider, hash }: TransactionResponse): Promise<void> {
  const endMs = Date.now() + confirmWithinMs
  while (Date.now() < endMs) {
    const receipt = await provider.getTransactionReceipt(hash)
    if (receipt?.status === 0) throw new Error(`transaction ${hash} was reverted`)
    if (receipt !== null) return
    await wait(receiptEveryMs)
  }
  throw new Error(`transaction ${hash} was not mined within ${confirmWithinMs} ms`)
}
