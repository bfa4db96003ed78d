import type { Progress } from '@hexachord/sdk/uploading'
import { type Bar, progressBar } from '../terminal/index.ts'

/** Shows an upload as it goes on, one bar per step. */
export function showUpload() {
  const startedAt = performance.now()
  let sentAt: number | undefined
  let current: { readonly step: string; readonly bar: Bar } | undefined
  const bar = (step: string, unit: 'bytes' | 'parts'): Bar => {
    if (current?.step !== step) {
      current?.bar.stop()
      current = { step, bar: progressBar(step, unit) }
    }
    return current.bar
  }
  return {
    show(progress: Progress): void {
      if (progress.step === 'sending') {
        sentAt = undefined
        bar('sending', 'bytes').update(progress.sentBytes, progress.totalBytes)
        return
      }
      const { upload } = progress
      sentAt ??= performance.now()
      if (upload.state === 'processing') {
        const total = (upload.source?.durationMs ?? 0) * upload.renditions.length
        const done = upload.renditions.reduce((sum, rendition) => sum + rendition.doneMs, 0)
        if (total > 0) bar('transcoding', 'parts').update(Math.round(done / 1000), Math.round(total / 1000))
      }
      if (upload.state === 'replicating') bar('copies', 'parts').update(upload.receipts.length, upload.copies)
    },
    stop: () => current?.bar.stop(),
    /** From the start to the last byte sent. */
    sendingMs: () => Math.round((sentAt ?? performance.now()) - startedAt),
  }
}
