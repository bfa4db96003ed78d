import type { NodeProgress, Progress } from '@hexachord/sdk/uploading'

/** A step of an upload, for people; `done` of `total` in the unit of the step. */
export type Described = {
  readonly step: string
  readonly done: number
  readonly total: number
  readonly text: string
}

export function describeProgress(progress: Progress): Described {
  switch (progress.step) {
    case 'sending': {
      const { sentBytes: done, totalBytes: total, node } = progress
      return { step: 'sending', done, total, text: `${megabytes(done)} of ${megabytes(total)} to ${node}` }
    }
    case 'moving':
      return { ...noPart('moving'), text: `goes on at ${progress.node}: ${progress.reason}` }
    case 'publishing':
      return { step: progress.status, ...publishing[progress.status] }
    case 'queued': {
      const { ahead } = progress
      const text = ahead === undefined ? 'waits for its turn' : `waits for ${ahead} uploads before it`
      return { ...noPart('queued'), text }
    }
    case 'transcoding':
      return transcoding(progress)
    case 'copying':
    case 'ready':
      return copying(progress)
    case 'receiving':
    case 'ended':
      return { ...noPart(progress.step), text: progress.upload.reason ?? progress.upload.state }
  }
}

/** The same for programs: what changes from event to event, and not all that the node says. */
export function machineProgress(progress: Progress): object {
  if (!('upload' in progress)) return progress
  const { step, node, ahead, renditions, copies, upload } = progress
  return {
    ...{ step, node },
    ...(ahead === undefined ? {} : { ahead }),
    ...{ renditions, copies, heldCopies: upload.heldCopies, wantedCopies: upload.copies },
    ...(upload.waitingFor === undefined ? {} : { waitingFor: upload.waitingFor }),
    ...(upload.problem === undefined ? {} : { problem: upload.problem, reason: upload.reason }),
  }
}

const publishing = {
  sent: { done: 1, total: 3, text: 'signed, on its way to the chain' },
  mined: { done: 2, total: 3, text: 'on the chain; discovery reads it there' },
  applied: { done: 3, total: 3, text: 'everybody can find it' },
  final: { done: 3, total: 3, text: 'nothing can take it back' },
} as const

function noPart(step: string) {
  return { step, done: 0, total: 0 }
}

function transcoding({ renditions }: NodeProgress): Described {
  const done = renditions.reduce((sum, { doneMs }) => sum + doneMs, 0)
  const total = renditions.reduce((sum, { totalMs }) => sum + totalMs, 0)
  const parts = renditions.map(({ name, doneMs, totalMs }) => `${name} ${percent(doneMs, totalMs)}`)
  return { step: 'transcoding', done, total, text: parts.join(', ') || 'looks into the file' }
}

function copying({ step, copies, upload }: NodeProgress): Described {
  const parts = copies.map(({ endpoint, state, doneBlocks, totalBlocks }) => {
    const host = URL.parse(endpoint)?.host ?? endpoint
    return state === 'pulling' ? `${host} ${percent(doneBlocks, totalBlocks)}` : `${host} ${state}`
  })
  const held = `${upload.heldCopies} of ${upload.copies} copies`
  const waiting = upload.waitingFor ? `; ${upload.waitingFor}` : ''
  return {
    step: step === 'ready' ? 'ready' : 'copies',
    done: upload.heldCopies,
    total: upload.copies,
    text: `${held} (${parts.join(', ')})${waiting}`,
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function percent(done: number, total: number): string {
  return total === 0 ? '0 %' : `${Math.floor((100 * done) / total)} %`
}
