import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Address } from '@hexachord/protocol/names'
import type { SentVoucher } from '@hexachord/protocol/payments'
import { type Domain, SignatureError, strictSignature } from '@hexachord/protocol/signing'
import { answer, readAnswered, type SignedDigest, writeAsked } from './flat-messages.ts'
import { loadNativeRecovery } from './native-recover.ts'
import { createVoucherDigest } from './voucher-digest.ts'

/** Finds signers of vouchers in a thread of its own: that takes longer than all else of a request together. */
export type VoucherSigners = {
  /** @throws SignatureError for what no contract would accept */
  signerOf(voucher: SentVoucher): Promise<Address>
  /** Whether any are being looked for. */
  isBusy(): boolean
  close(): Promise<void>
}

type Waiting = SignedDigest & Pick<PromiseWithResolvers<Address>, 'resolve' | 'reject'>

const program = new URL('signer-thread.ts', import.meta.url)

/** So few are asked about in one message that those that come first are on the disk while the others are looked at. */
const mostAtOnce = 16

/**
 * @param options.domain the escrow's
 * @param options.node to whom vouchers are made out
 * @param options.threads zero to do it in this one. @default 1 where there are processors for it
 * @throws KeyRecoveryMissing
 */
export async function createVoucherSigners({
  domain,
  node,
  threads = availableParallelism() > 1 ? 1 : 0,
}: {
  domain: Domain
  node: Address
  threads?: 0 | 1
}): Promise<VoucherSigners> {
  const here = loadNativeRecovery().signerOf
  const digestOf = await createVoucherDigest(domain, node)
  let next: Waiting[] = []
  const sent: Waiting[][] = []
  let worker: Worker | undefined
  let isClosed = false

  function start(): Worker {
    const started = new Worker(program, { execArgv: ['--disable-warning=ExperimentalWarning'] })
    started.unref()
    started.on('message', (answered: Uint8Array) => settle(sent.shift() ?? [], answered))
    // Whatever ends it, such as a lack of memory, costs nobody an answer; the next voucher begins another one.
    started.once('error', () => undefined)
    started.once('exit', () => {
      if (worker === started) worker = undefined
      settleHere(sent.splice(0).flat())
    })
    return started
  }

  function settle(batch: readonly Waiting[], answered: Uint8Array): void {
    const signers = readAnswered(answered)
    for (const { resolve, reject } of batch) {
      const signer = signers.next().value ?? undefined
      if (signer === undefined) reject(new SignatureError('the signature is no point on the curve'))
      else resolve(signer)
    }
  }

  function settleHere(batch: readonly Waiting[]): void {
    settle(batch, answer(writeAsked(batch), here))
  }

  function send(): void {
    const batch = next
    next = []
    if (batch.length === 0) return
    if (isClosed) {
      settleHere(batch)
      return
    }
    worker ??= start()
    sent.push(batch)
    const asked = writeAsked(batch)
    worker.postMessage(asked)
  }

  return {
    signerOf({ signature, ...voucher }) {
      const { promise, resolve, reject } = Promise.withResolvers<Address>()
      try {
        const waiting = { digest: digestOf(voucher), signature: strictSignature(signature), resolve, reject }
        if (threads === 0 || isClosed) settleHere([waiting])
        else {
          if (next.length === 0) setImmediate(send)
          if (next.push(waiting) === mostAtOnce) send()
        }
      } catch (error) {
        reject(error)
      }
      return promise
    },
    isBusy: () => next.length > 0 || sent.length > 0,
    async close() {
      isClosed = true
      await worker?.terminate()
    },
  }
}
