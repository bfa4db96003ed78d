import { readFile } from 'node:fs/promises'

/** Linux counts in hundredths of a second wherever Node runs (`getconf CLK_TCK`). */
const msPerTick = 10
/** As proc(5) counts them: the first after the name, and `utime`, which `stime` follows. */
const firstField = 3
const userField = 14

/** Time that a process and its threads spent on a processor, in user mode and in the kernel, in ms: proc(5). */
export async function cpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name of the program stands in brackets, and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [user, system] = fields.slice(userField - firstField)
  return (Number(user) + Number(system)) * msPerTick
}
