// A page is drawn whole each time, and only what differs is changed: focus, selection and scrolling stay.

/** An element. A child that is text stays text, whatever it holds; null, undefined and false are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (isThere(value)) element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children.flat(2).filter(isThere))
  return element
}

const isThere = (value) => value !== null && value !== undefined && value !== false

/** Makes the children of a place those given. */
export function draw(place, ...children) {
  bringInLine(place, h(place.tagName, {}, ...children))
}

function bringInLine(place, wanted) {
  const before = [...place.childNodes]
  const after = [...wanted.childNodes]
  for (const [index, node] of after.entries()) {
    const old = before[index]
    if (old === undefined) place.append(node)
    else if (isAlike(old, node)) update(old, node)
    else old.replaceWith(node)
  }
  for (const old of before.slice(after.length)) old.remove()
}

const isAlike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName

function update(old, node) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== node.data) old.data = node.data
    return
  }
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name)
  for (const { name, value } of [...node.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  }
  bringInLine(old, node)
}
