import Hls, { type HlsConfig } from 'hls.js'
import type { Heard, PlayerSettings } from './messages.ts'

declare global {
  interface Window {
    /** Set by the test: told of each second that was heard. */
    heardSecond?: (second: number) => Promise<void>
  }
}

/** Sound below this is silence: a thousandth of full scale. */
const audible = 0.001
const lookEveryMs = 50

/** Plays in an audio element and listens to what comes out of it. */
export async function play(
  url: string,
  config: Partial<HlsConfig>,
  { untilSecond, bufferSeconds = 30, startedAt = performance.now() }: PlayerSettings,
): Promise<Heard> {
  const audio = new Audio()
  const context = new AudioContext()
  const analyser = context.createAnalyser()
  context.createMediaElementSource(audio).connect(analyser).connect(context.destination)
  const hls = new Hls({ ...config, maxBufferLength: bufferSeconds, maxMaxBufferLength: bufferSeconds })
  const errors: string[] = []
  const failed = Promise.withResolvers<never>()
  hls.on(Hls.Events.ERROR, (_event, { fatal, details, error }) => {
    errors.push(`${fatal ? 'fatal ' : ''}${details}: ${error?.message}`)
    if (fatal) failed.reject(new Error(errors.join('; ')))
  })
  let playingAt: number | undefined
  const interruptions: number[] = []
  audio.addEventListener('playing', () => {
    playingAt ??= performance.now()
  })
  audio.addEventListener('waiting', () => {
    // At the very end Chromium waits for what an encoder's last frame lacks, and then says that it has ended.
    if (playingAt !== undefined && audio.currentTime < audio.duration - 0.5)
      interruptions.push(audio.currentTime)
  })
  hls.on(Hls.Events.MEDIA_ATTACHED, () => hls.loadSource(url))
  hls.attachMedia(audio)
  const samples = new Float32Array(analyser.fftSize)
  try {
    await Promise.race([audio.play(), failed.promise])
    await context.resume()
    let loudest = 0
    let silentLooks = 0
    let looks = 0
    let heardSecond = 0
    while (audio.currentTime < untilSecond && !audio.ended) {
      await Promise.race([new Promise((resolve) => setTimeout(resolve, lookEveryMs)), failed.promise])
      analyser.getFloatTimeDomainData(samples)
      const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
      loudest = Math.max(loudest, peak)
      if (audio.currentTime > 0.5) {
        looks += 1
        if (peak < audible) silentLooks += 1
      }
      if (audio.currentTime >= heardSecond + 1) {
        heardSecond = Math.floor(audio.currentTime)
        await window.heardSecond?.(heardSecond)
      }
    }
    return {
      clickToPlayingMs: Math.round((playingAt ?? Number.NaN) - startedAt),
      seconds: audio.currentTime,
      durationSeconds: audio.duration,
      decodedBytes: (audio as { webkitAudioDecodedByteCount?: number }).webkitAudioDecodedByteCount ?? 0,
      loudest,
      looks,
      silentLooks,
      interruptions,
      errors,
      gaps: Array.from({ length: audio.buffered.length }, (_, index) => audio.buffered.start(index)).slice(1),
    }
  } finally {
    hls.destroy()
    audio.pause()
    await context.close()
  }
}
