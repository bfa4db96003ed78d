import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Address } from '@hexachord/protocol/names'
import type { SentVoucher } from '@hexachord/protocol/payments'
import { type Domain, SignatureError } from '@hexachord/protocol/signing'
import { createVoucherSigner } from './voucher-signer.ts'

/** Finds signers of vouchers in a thread of its own: that takes longer than all else of a request together. */
export type VoucherSigners = {
  /** @throws SignatureError for what no contract would accept */
  signerOf(voucher: SentVoucher): Promise<Address>
  close(): Promise<void>
}

/** Between the threads: vouchers that came in one turn of the event loop, and the answers in the same order. */
export type Asked = readonly SentVoucher[]
export type Answered = readonly ({ readonly signer: Address } | { readonly fault: string })[]
export type ThreadData = { readonly domain: Domain; readonly node: Address }

type Waiting = { readonly voucher: SentVoucher; readonly answer: PromiseWithResolvers<Address> }

const program = new URL('signer-thread.ts', import.meta.url)

/**
 * @param options.threads zero to do it in this one. @default 1 where there are processors for it
 * @throws NativeRecoveryMissing
 */
export function createVoucherSigners({
  threads = availableParallelism() > 1 ? 1 : 0,
  ...data
}: ThreadData & { threads?: 0 | 1 }): VoucherSigners {
  const signerHere = createVoucherSigner(data.domain, data.node)
  let next: Waiting[] = []
  const sent: Waiting[][] = []
  let worker: Worker | undefined
  let isClosed = false

  function start(): Worker {
    const started = new Worker(program, {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      workerData: data,
    })
    started.unref()
    started.on('message', (answers: Answered) => {
      for (const [place, { answer }] of (sent.shift() ?? []).entries()) {
        const found = answers[place]
        if (found !== undefined && 'signer' in found) answer.resolve(found.signer)
        else answer.reject(new SignatureError(found?.fault ?? 'the signature was not looked at'))
      }
    })
    // Whatever ends it, such as a lack of memory, costs nobody an answer; the next voucher begins another one.
    started.once('error', () => undefined)
    started.once('exit', () => {
      if (worker === started) worker = undefined
      for (const { voucher, answer } of sent.splice(0).flat()) settle(voucher, answer)
    })
    return started
  }

  function settle(voucher: SentVoucher, answer: PromiseWithResolvers<Address>): void {
    try {
      answer.resolve(signerHere(voucher))
    } catch (error) {
      answer.reject(error)
    }
  }

  function send(): void {
    const batch = next
    next = []
    if (isClosed) {
      for (const { voucher, answer } of batch) settle(voucher, answer)
      return
    }
    worker ??= start()
    sent.push(batch)
    worker.postMessage(batch.map(({ voucher }) => voucher) satisfies Asked)
  }

  return {
    async signerOf(voucher) {
      if (threads === 0 || isClosed) return signerHere(voucher)
      const answer = Promise.withResolvers<Address>()
      if (next.length === 0) setImmediate(send)
      next.push({ voucher, answer })
      return answer.promise
    },
    async close() {
      isClosed = true
      await worker?.terminate()
    },
  }
}
