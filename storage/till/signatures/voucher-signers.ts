import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Address } from '@hexachord/protocol/names'
import type { SentVoucher } from '@hexachord/protocol/payments'
import { type Domain, SignatureError, strictSignature } from '@hexachord/protocol/signing'
import { answer, readAnswered, type SignedDigest, writeAsked } from './flat-messages.ts'
import { loadNativeRecovery, type NativeRecovery } from './native-recover.ts'
import { createVoucherDigest } from './voucher-digest.ts'

/** Finds signers of vouchers in threads of its own: that takes longer than all else of a request together. */
export type VoucherSigners = {
  /** @throws SignatureError for what no contract would accept */
  signerOf(voucher: SentVoucher): Promise<Address>
  close(): Promise<void>
}

type Waiting = SignedDigest & Pick<PromiseWithResolvers<Address>, 'resolve' | 'reject'>

const program = new URL('signer-thread.ts', import.meta.url)

/** So few are asked about in one message that those that come first are on the disk while the others are looked at. */
const mostAtOnce = 8

/** Of those that came at once half are answered while the others are looked at: with one thread all wait for it while a
 * processor has nothing to do. */
const mostThreads = 2

/**
 * @param options.domain the escrow's
 * @param options.node to whom vouchers are made out
 * @param options.threads zero to do it in this one. @default two where there are processors for them
 * @throws NativeRecoveryMissing
 */
export async function createVoucherSigners({
  domain,
  node,
  threads = availableParallelism() > 1 ? mostThreads : 0,
}: {
  domain: Domain
  node: Address
  threads?: number
}): Promise<VoucherSigners> {
  const here = loadNativeRecovery().signerOf
  const digestOf = await createVoucherDigest(domain, node)
  const all = Array.from({ length: threads }, () => createSignerThread(here))
  let next: Waiting[] = []
  let isClosed = false

  function send(): void {
    const batch = next
    next = []
    if (batch.length === 0) return
    const [first, ...others] = all
    if (isClosed || first === undefined) settle(batch, answer(writeAsked(batch), here))
    else others.reduce((one, other) => (other.asked() < one.asked() ? other : one), first).ask(batch)
  }

  return {
    signerOf({ signature, ...voucher }) {
      const { promise, resolve, reject } = Promise.withResolvers<Address>()
      try {
        const waiting = { digest: digestOf(voucher), signature: strictSignature(signature), resolve, reject }
        if (threads === 0 || isClosed) settle([waiting], answer(writeAsked([waiting]), here))
        else {
          if (next.length === 0) setImmediate(send)
          if (next.push(waiting) === mostAtOnce) send()
        }
      } catch (error) {
        reject(error)
      }
      return promise
    },
    async close() {
      isClosed = true
      await Promise.all(all.map((thread) => thread.close()))
    },
  }
}

type SignerThread = {
  ask(batch: readonly Waiting[]): void
  /** How many it has not answered yet. */
  asked(): number
  close(): Promise<void>
}

/** A thread that begins with the first that is asked. Whatever ends it, such as a lack of memory, costs nobody an answer;
 * the next voucher begins another one. */
function createSignerThread(here: NativeRecovery['signerOf']): SignerThread {
  const sent: (readonly Waiting[])[] = []
  let worker: Worker | undefined
  let asked = 0

  function start(): Worker {
    const started = new Worker(program, { execArgv: ['--disable-warning=ExperimentalWarning'] })
    started.unref()
    started.on('message', (answered: Uint8Array) => {
      const batch = sent.shift() ?? []
      asked -= batch.length
      settle(batch, answered)
    })
    started.once('error', () => undefined)
    started.once('exit', () => {
      if (worker === started) worker = undefined
      const left = sent.splice(0).flat()
      asked = 0
      settle(left, answer(writeAsked(left), here))
    })
    return started
  }

  return {
    ask(batch) {
      worker ??= start()
      sent.push(batch)
      asked += batch.length
      worker.postMessage(writeAsked(batch))
    },
    asked: () => asked,
    async close() {
      await worker?.terminate()
    },
  }
}

function settle(batch: readonly Waiting[], answered: Uint8Array): void {
  const signers = readAnswered(answered)
  for (const { resolve, reject } of batch) {
    const signer = signers.next().value ?? undefined
    if (signer === undefined) reject(new SignatureError('the signature is no point on the curve'))
    else resolve(signer)
  }
}
