export { canMountDisks, mountSmallDisk, type SmallDisk } from './small-disk.ts'
