/** The parts of the daemon that a process may run. */
export const roles = ['scheduler', 'worker', 'web'] as const
export type Role = (typeof roles)[number]
