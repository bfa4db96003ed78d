import { parentPort, workerData } from 'node:worker_threads'
import { SignatureError } from '@hexachord/protocol/signing'
import { createVoucherSigner } from './voucher-signer.ts'
import type { Answered, Asked, ThreadData } from './voucher-signers.ts'

const { domain, node } = workerData as ThreadData
const signerOf = createVoucherSigner(domain, node)

parentPort?.on('message', (asked: Asked) => {
  const answered: Answered = asked.map((voucher) => {
    try {
      return { signer: signerOf(voucher) }
    } catch (error) {
      if (error instanceof SignatureError) return { fault: error.message }
      throw error
    }
  })
  parentPort?.postMessage(answered)
})
