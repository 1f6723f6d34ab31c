/** Parts of the daemon. */
export const roles = ['scheduler', 'worker', 'web'] as const
export type Role = (typeof roles)[number]
