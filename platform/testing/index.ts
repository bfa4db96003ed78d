export { eventually } from './eventually.ts'
export { canMountDisks, mountSmallDisk, type SmallDisk } from './small-disk.ts'
