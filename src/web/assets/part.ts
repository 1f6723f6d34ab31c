/** The place of the page that has this name. */
export function part(name: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`[data-part="${name}"]`)
  if (!found) throw new Error(`the page has no place for ${name}`)
  return found
}
