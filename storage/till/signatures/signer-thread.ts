import { parentPort } from 'node:worker_threads'
import { answer } from './flat-messages.ts'
import { loadNativeRecovery } from './native-recover.ts'

const { signerOf } = loadNativeRecovery()

parentPort?.on('message', (asked: Uint8Array) => parentPort?.postMessage(answer(asked, signerOf)))
