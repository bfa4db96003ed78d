#!/usr/bin/env node
import { run } from './commands/index.ts'

// Whoever reads what is printed may have seen enough, as `head` has; what was begun goes on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = await run(process.argv.slice(2), process.env)
