import { ConfigError } from '@hexachord/platform/process'
import { checkFfprobe, type Ffmpeg, ProgramMissing } from './transcoding/index.ts'

/** Makes sure at the start that ffmpeg and ffprobe are there and able, rather than at the first upload.
 * @throws ConfigError with both mistakes */
export async function checkPrograms(options: {
  ffmpeg: Ffmpeg
  ffprobePath: string
  signal: AbortSignal
}): Promise<void> {
  const mistakes = await Promise.all([
    mistakeOf('FFMPEG_PATH', () => options.ffmpeg.check()),
    mistakeOf('FFPROBE_PATH', () => checkFfprobe(options.ffprobePath, options.signal)),
  ])
  if (mistakes.flat().length > 0) throw new ConfigError(mistakes.flat())
}

async function mistakeOf(variable: string, check: () => Promise<void>) {
  try {
    await check()
    return []
  } catch (error) {
    if (!(error instanceof ProgramMissing)) throw error
    return [{ variable, problem: `${error.message}; install it by: apt install ffmpeg` }]
  }
}
