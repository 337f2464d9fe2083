"""The names of the GPUs that Vulkan finds (https://registry.khronos.org/vulkan/specs/latest/html/vkspec.html)."""

import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_uint32, c_void_p

APPLICATION_INFO, INSTANCE_CREATE_INFO = 0, 1
VERSION_1_1 = (1 << 22) | (1 << 12)
# VkPhysicalDeviceProperties: five 32-bit numbers, then the name; its size is below 2 KiB in all versions.
NAME, NAME_BYTES, PROPERTIES_BYTES = 20, 256, 4096


class _Application(Structure):
    _fields_ = (
        ("type", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("version", c_uint32),
        ("engine", c_char_p),
        ("engine_version", c_uint32),
        ("api", c_uint32),
    )


class _Instance(Structure):
    _fields_ = (
        ("type", c_int),
        ("next", c_void_p),
        ("flags", c_uint32),
        ("application", POINTER(_Application)),
        ("layer_count", c_uint32),
        ("layers", c_void_p),
        ("extension_count", c_uint32),
        ("extensions", c_void_p),
    )


def adapters() -> list[str]:
    """Names in Vulkan's order; empty where there is no loader, no driver or no GPU."""
    try:
        vulkan = ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return []
    application = _Application(APPLICATION_INFO, None, b"samesight", 0, None, 0, VERSION_1_1)
    request = _Instance(INSTANCE_CREATE_INFO, None, 0, ctypes.pointer(application), 0, None, 0, None)
    instance, count = c_void_p(), c_uint32()
    if vulkan.vkCreateInstance(byref(request), None, byref(instance)) != 0:
        return []
    try:
        vulkan.vkEnumeratePhysicalDevices(instance, byref(count), None)
        devices = (c_void_p * count.value)()
        vulkan.vkEnumeratePhysicalDevices(instance, byref(count), devices)
        return [_name(vulkan, device) for device in devices]
    finally:
        vulkan.vkDestroyInstance(instance, None)


def _name(vulkan: ctypes.CDLL, device: int | None) -> str:
    properties = ctypes.create_string_buffer(PROPERTIES_BYTES)
    vulkan.vkGetPhysicalDeviceProperties(c_void_p(device), properties)
    return properties.raw[NAME : NAME + NAME_BYTES].split(b"\0")[0].decode(errors="replace")
