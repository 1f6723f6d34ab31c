// A page is drawn whole each time, and only what differs is changed: focus, selection and scrolling stay.

export type Child = Node | string | number | null | undefined | false | readonly Child[]
type Attribute = string | number | boolean | null | undefined
export type Attributes = Readonly<Record<string, Attribute>>

/** An element. A child that is text stays text, whatever it holds; null, undefined and false are left out. */
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

/** Makes the children of a place those given. What has the focus keeps it, also when it is moved. */
export function draw(place: Element, ...children: Child[]): void {
  const wanted = document.createElement('div')
  wanted.append(...nodesOf(children))
  const focused = document.activeElement
  bringInLine(place, wanted)
  const hasLostFocus = focused?.isConnected && focused !== document.activeElement
  if (hasLostFocus && focused instanceof HTMLElement) focused.focus({ preventScroll: true })
}

const keyOf = (node: Node): string | undefined => (node instanceof HTMLElement ? node.dataset.key : undefined)

/** Children with the same `data-key` stay the same element; of the others, those at the same place. */
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
    // Heights are set by scripts: the page's policy allows no styles in attributes.
    if (name !== 'style' && !node.hasAttribute(name)) old.removeAttribute(name)
  }
  for (const { name, value } of [...node.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  }
  bringInLine(old, node)
}

/** The element that an event concerns, or one around it; undefined where there is none. */
export function within(event: Event, selector: string): HTMLElement | undefined {
  const found = event.target instanceof Element ? event.target.closest(selector) : null
  return found instanceof HTMLElement ? found : undefined
}
