// Draws the whole page but changes only differences, to keep focus, selection and scroll.

export type Child = Node | string | number | null | undefined | false | readonly Child[]
type Attribute = string | number | boolean | null | undefined
export type Attributes = Readonly<Record<string, Attribute>>

/** Text stays text; null, undefined and false are skipped. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    element.setAttribute(name, value === true ? '' : String(value))
  }
  element.append(...nodesOf(children))
  return element
}

function nodesOf(children: readonly Child[]): (Node | string)[] {
  return children.flatMap((child) => {
    if (child === null || child === undefined || child === false) return []
    if (child instanceof Node || typeof child === 'string') return [child]
    return typeof child === 'number' ? [String(child)] : nodesOf(child)
  })
}

/** Replaces children, keeping focus. */
export function draw(place: Element, ...children: Child[]): void {
  const wanted = document.createElement('div')
  wanted.append(...nodesOf(children))
  const focused = document.activeElement
  bringInLine(place, wanted)
  const hasLostFocus = focused?.isConnected && focused !== document.activeElement
  if (hasLostFocus && focused instanceof HTMLElement) focused.focus({ preventScroll: true })
}

const keyOf = (node: Node): string | undefined => (node instanceof HTMLElement ? node.dataset.key : undefined)

/** Matches by `data-key`, else by position. */
function bringInLine(place: Element, wanted: Element): void {
  const after = [...wanted.childNodes]
  const keys = new Set(after.map(keyOf))
  for (const old of [...place.childNodes]) if (!keys.has(keyOf(old)) && keyOf(old) !== undefined) old.remove()
  const keyed = new Map([...place.childNodes].map((old) => [keyOf(old), old]))
  let at = place.firstChild
  for (const node of after) {
    const key = keyOf(node)
    const free = at && keyOf(at) === undefined ? at : undefined
    const old = key === undefined ? free : keyed.get(key)
    if (old && isAlike(old, node)) {
      if (old === at) at = old.nextSibling
      else place.insertBefore(old, at)
      update(old, node)
    } else {
      if (free && key === undefined) {
        at = free.nextSibling
        free.remove()
      }
      place.insertBefore(node, at)
    }
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling
    at.remove()
    at = next
  }
}

const isAlike = (a: Node, b: Node): boolean => a.nodeType === b.nodeType && a.nodeName === b.nodeName

function update(old: ChildNode, node: ChildNode): void {
  if (old instanceof Text && node instanceof Text) {
    if (old.data !== node.data) old.data = node.data
    return
  }
  if (!(old instanceof Element && node instanceof Element)) return
  for (const { name } of [...old.attributes]) {
    // Scripts set heights: the policy forbids style attributes.
    if (name !== 'style' && !node.hasAttribute(name)) old.removeAttribute(name)
  }
  for (const { name, value } of [...node.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  }
  bringInLine(old, node)
}

/** The event's element or an ancestor. */
export function within(event: Event, selector: string): HTMLElement | undefined {
  const found = event.target instanceof Element ? event.target.closest(selector) : null
  return found instanceof HTMLElement ? found : undefined
}
