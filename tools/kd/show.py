"""Types and values of smss's memory, from its debug information, in kd's words."""

import gdb

from target import Error, argument_register, at_entry

INTEGERS = {
    "int8_t": "char", "uint8_t": "unsigned char", "int16_t": "short",
    "uint16_t": "unsigned short", "int32_t": "long", "uint32_t": "unsigned long",
    "int64_t": "__int64", "uint64_t": "unsigned __int64", "size_t": "unsigned __int64",
    "ssize_t": "__int64", "long": "__int64", "unsigned long": "unsigned __int64",
    "long long": "__int64", "unsigned long long": "unsigned __int64",
    "short int": "short", "_Bool": "bool", "_Atomic uint32_t": "unsigned long",
}
COMPOUND = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)
UNNAMED = "__unnamed"


def bare(type_):
    return type_.unqualified().strip_typedefs().unqualified()


def type_name(type_):
    type_ = type_.unqualified()
    if type_.name in INTEGERS:
        return INTEGERS[type_.name]
    if type_.code == gdb.TYPE_CODE_TYPEDEF:
        return type_name(type_.target())
    if type_.code == gdb.TYPE_CODE_PTR:
        return type_name(type_.target()) + " *"
    if type_.code == gdb.TYPE_CODE_ARRAY:
        return f"{type_name(type_.target())} [{type_.range()[1] + 1}]"
    if type_.code == gdb.TYPE_CODE_FUNC:
        return "void ()"
    return type_.name or type_.tag or UNNAMED


def is_text(type_):
    return bare(type_).code == gdb.TYPE_CODE_INT and bare(type_).name == "char"


def is_unicode_string(type_):
    return type_.code == gdb.TYPE_CODE_STRUCT and type_.tag == "_UNICODE_STRING"


def memory_error(address):
    return f"--- memory read error at address 0x{address:08x} ---"


def text_at(address, length):
    """Up to LENGTH bytes, ended by a zero or not."""
    text = b""
    while len(text) < length:
        step = min(length - len(text), 64 - (address + len(text)) % 64)  # not across a page
        try:
            text += gdb.selected_inferior().read_memory(address + len(text), step).tobytes()
        except gdb.MemoryError:
            if not text:
                return memory_error(address)
            break
        if b"\0" in text:
            break
    text = text.split(b"\0")[0].decode("utf-8", "replace")
    return "".join(c if c.isprintable() and c != "\ufffd" else "?" for c in text)


def unicode_text(value):
    length, buffer = int(value["Length"]), int(value["Buffer"])
    if length == 0:
        return '""'
    if bare(value["Buffer"].type.target()).sizeof == 1:
        return f'"{text_at(buffer, length)}"'
    try:
        data = gdb.selected_inferior().read_memory(buffer, length).tobytes()
        return f'"{data.decode("utf-16-le", "replace")}"'
    except gdb.MemoryError:
        return f'"{memory_error(buffer)}"'


def enum_name(value, type_):
    for field in type_.fields():
        if field.enumval == int(value):
            return field.name
    return None


def pointer_text(value):
    """An address, and the text there."""
    address, target = int(value), bare(bare(value.type).target())
    text = f"0x{address:08x}"
    if not address:
        return text
    if is_text(target):
        return f'{text} "{text_at(address, 256)}"'
    if is_unicode_string(target):
        try:
            return f"{text} {unicode_text(value.dereference())}"
        except gdb.MemoryError:
            return f'{text} "{memory_error(address)}"'
    return text


# ---- dv: name = value


def local_text(value):
    type_ = bare(value.type)
    if value.is_optimized_out:
        return "<value unavailable>"
    if type_.code == gdb.TYPE_CODE_PTR:
        return pointer_text(value)
    if is_unicode_string(type_):
        return f"struct _UNICODE_STRING {unicode_text(value)}"
    if type_.code in COMPOUND:
        fields = [f.name for f in type_.fields()]
        if "QuadPart" in fields:
            return f"{{{int(value['QuadPart'])}}}"
        kind = "union" if type_.code == gdb.TYPE_CODE_UNION else "struct"
        return f"{kind} {type_name(type_)}"
    if type_.code == gdb.TYPE_CODE_ARRAY:
        if is_text(type_.target()) and value.address is not None:
            return f'{type_name(type_)} "{text_at(int(value.address), type_.sizeof)}"'
        return type_name(type_)
    number = int(value)
    if type_.code == gdb.TYPE_CODE_ENUM:
        name = enum_name(value, type_)
        return f"{name} (0n{number})" if name else f"0n{number}"
    if type_.code == gdb.TYPE_CODE_BOOL:
        return "true" if number else "false"
    if type_.is_signed:
        return f"0n{number}"
    return f"{number:#x}" if number else "0"


def variables(frame):
    """(symbol, value) of FRAME: parameters, then locals. Before the first instruction the
    parameters are in registers still, wherever they will be kept."""
    block, blocks = frame.block(), []
    while block:
        blocks.insert(0, block)
        if block.function and not (block.superblock and block.superblock.function):
            break
        block = block.superblock
    entry, index = at_entry(frame), 0
    seen = set()
    for kind in (True, False):
        for block in blocks:
            for symbol in block:
                if symbol.is_argument != kind or symbol.name in seen or \
                        not (symbol.is_argument or symbol.is_variable):
                    continue
                seen.add(symbol.name)
                value = symbol.value(frame) if symbol.needs_frame else symbol.value()
                if entry and kind:
                    value = in_register(frame, value, index)
                    index += 1
                yield symbol, value


def in_register(frame, value, index):
    type_ = bare(value.type)
    register = argument_register(frame, index)
    if register is None or type_.code in COMPOUND:
        return value
    unsigned = int(register) & ((1 << 8 * type_.sizeof) - 1)
    return gdb.Value(unsigned.to_bytes(type_.sizeof, "little"), value.type)


def show_variables(frame):
    try:
        found = list(variables(frame))
    except RuntimeError:
        return []  # it has no debug information
    lines = []
    for symbol, value in found:
        try:
            lines.append(f"{symbol.name} = {local_text(value)}")
        except gdb.error as error:
            lines.append(f"{symbol.name} = --- {str(error)} ---")
    return lines


# ---- dx: [+offset] name : value [Type: type]


def member_text(value):
    """' : value', or '' for what has parts of its own."""
    type_ = bare(value.type)
    if is_unicode_string(type_):
        return f" : {unicode_text(value)}"
    if type_.code == gdb.TYPE_CODE_ARRAY and is_text(type_.target()):
        return f' : "{text_at(int(value.address), type_.sizeof)}"'
    if type_.code in COMPOUND or type_.code == gdb.TYPE_CODE_ARRAY:
        return ""
    if type_.code == gdb.TYPE_CODE_PTR:
        address = int(value)
        if is_text(type_.target()) and address:
            return f' : {address:#x} : "{text_at(address, 256)}"'
        return f" : {address:#x}"
    number = int(value)
    if type_.code == gdb.TYPE_CODE_ENUM:
        return f" : {enum_name(value, type_) or '<unknown>'} ({number})"
    if type_.code == gdb.TYPE_CODE_BOOL:
        return f" : {'true' if number else 'false'}"
    return f" : {number}" if type_.is_signed else f" : {number:#x}"


def show_members(value, depth, indent=""):
    type_ = bare(value.type)
    if depth <= 0 or (type_.code == gdb.TYPE_CODE_PTR and not int(value)):
        return []
    if type_.code == gdb.TYPE_CODE_PTR:
        value = value.dereference()
        type_ = bare(value.type)
    if type_.code == gdb.TYPE_CODE_ARRAY:
        if is_text(type_.target()):
            return []  # it stands beside the name
        first, last = type_.range()
        parts = [(f"[{i}]", value[i]) for i in range(first, min(last, first + 99) + 1)]
    elif type_.code in COMPOUND:
        parts = [(f"[+0x{field.bitpos // 8:03x}] {field.name or UNNAMED}", value[field])
                 for field in type_.fields()]
    else:
        return []
    lines = []
    for name, part in parts:
        lines.append(f"{indent}{name}{member_text(part)} [Type: {type_name(part.type)}]")
        try:
            lines += show_members(part, depth - 1, indent + "    ")
        except gdb.MemoryError as error:  # a pointer to nothing
            lines.append(f"{indent}    {error}")
    return lines


def show_expression(text, value, depth):
    try:
        value.fetch_lazy()
        return [f"{text}{member_text(value)} [Type: {type_name(value.type)}]"] + \
            show_members(value, depth)
    except gdb.MemoryError as error:
        raise Error(f"{text}: {error}") from error
