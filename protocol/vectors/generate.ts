import { writeFile } from 'node:fs/promises'
import { vectorFiles } from './index.ts'

// Run after a change of what is signed or hashed: `node protocol/vectors/generate.ts`.
for (const [file, text] of await vectorFiles()) await writeFile(new URL(file, import.meta.url), text)
