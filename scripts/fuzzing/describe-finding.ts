import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Finding } from './fuzz-target.ts'

const shownCharacters = 400

/** What to tell of a finding. The input goes into a file, whole.
 * @param folder for the file; without it there is none */
export async function describeFinding(finding: Finding, folder?: string): Promise<string> {
  const { target, seed, input, problem } = finding
  const shown = typeof input === 'string' ? JSON.stringify(input) : Buffer.from(input).toString('hex')
  const lines = [
    `${target}: ${problem}`,
    `  again: scripts/fuzz ${target} --seed ${seed} --case ${finding.case}`,
    `  input of ${input.length} ${typeof input === 'string' ? 'characters' : 'bytes, in hex'}: ${shown.slice(0, shownCharacters)}`,
  ]
  if (folder !== undefined) {
    const file = path.join(folder, `${target.replaceAll('/', '-')}-${seed}-${finding.case}`)
    await writeFile(file, input)
    lines.push(`  whole in ${file}`)
  }
  return lines.join('\n')
}
