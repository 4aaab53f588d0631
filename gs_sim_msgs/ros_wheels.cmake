# Lets ROS 2 that was installed by pip build interfaces.

# The generators look for type supports in the ament index of the prefix that the wheels were installed to.
if(NOT DEFINED ENV{AMENT_PREFIX_PATH})
  find_package(ament_cmake_core REQUIRED)
  get_filename_component(_ros_wheels_prefix "${ament_cmake_core_DIR}/../../.." ABSOLUTE)
  set(ENV{AMENT_PREFIX_PATH} "${_ros_wheels_prefix}")
endif()

# Only what Python loads is generated: without C++, it takes half of the time.
find_package(rosidl_default_generators REQUIRED)
list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "_cpp:")

# The wheels name include folders of the machine they were built on; CMake refuses targets whose folders do not exist.
function(_ros_wheels_drop_missing_includes)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(dirs "${target}" INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT dirs)
      continue()
    endif()
    set(kept "")
    set(changed FALSE)
    foreach(dir IN LISTS dirs)
      if(IS_ABSOLUTE "${dir}" AND NOT EXISTS "${dir}")
        set(changed TRUE)
      else()
        list(APPEND kept "${dir}")
      endif()
    endforeach()
    if(changed)
      set_target_properties("${target}" PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL _ros_wheels_drop_missing_includes)
