import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "samesight.app"
    compileSdk = libs.versions.sdk.compile.get().toInt()
    defaultConfig {
        applicationId = "samesight.app"
        minSdk = libs.versions.sdk.min.get().toInt()
        targetSdk = libs.versions.sdk.compile.get().toInt()
        versionCode = 1
        versionName = "0.1.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
        manifestPlaceholders["litert"] = libs.versions.litert.get()
        manifestPlaceholders["executorch"] = libs.versions.executorch.get()
        ndk {
            // Phones, and the emulator of a PC.
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    buildFeatures {
        compose = true
    }
    // NPU libraries of one maker's chips in an app, or none: a phone takes the app that is for it.
    flavorDimensions += "npu"
    productFlavors {
        create("plain") {
            dimension = "npu"
            isDefault = true
        }
        for (maker in listOf("qualcomm", "mediatek", "tensor")) {
            create(maker) {
                dimension = "npu"
                // LiteRT has no NPU before Android 12, and its libraries ask for it.
                minSdk = 31
            }
        }
    }
    // Bundles that Google Play gives with the app to phones of some chips (docs/on-a-phone.md); the repository has none.
    val packs = rootDir.resolve("ai_packs").listFiles().orEmpty().filter { it.resolve("build.gradle.kts").isFile }
    if (packs.isNotEmpty()) {
        assetPacks += packs.map { ":ai_packs:${it.name}" }
        bundle {
            deviceTargetingConfig = rootDir.resolve("ai_packs/device_targeting_configuration.xml")
            deviceGroup {
                enableSplit = true
                defaultGroup = "other"
            }
        }
    }
    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
        }
    }
    packaging {
        // LiteRT looks for an NPU's libraries as files: with this the manifest says extractNativeLibs, and the system
        // unpacks them when the app is installed.
        jniLibs.useLegacyPackaging = true
        // Both runtimes bring C++'s standard library.
        jniLibs.pickFirsts += "**/libc++_shared.so"
    }
    androidResources {
        // Artifacts are copied out once; packed bytes of weights gain little.
        noCompress += listOf("tflite", "pte")
    }
    lint {
        warningsAsErrors = providers.gradleProperty("strict").isPresent
        // The sources know nothing of androidx.core: Maven compiles them without it.
        disable += "UseKtx"
        // Whether there are newer ones is asked for where versions are raised.
        disable += listOf("AndroidGradlePluginVersion", "GradleDependency", "NewerVersionAvailable")
    }
    sourceSets {
        // Run by Maven (pom.xml), on Robolectric's framework.
        getByName("test").kotlin.setSrcDirs(emptyList<String>())
    }
}

// The same pixels in C, faster. Where the SDK has no NDK (SDK Manager, "NDK"), the app computes in Kotlin.
if (androidComponents.sdkComponents.sdkDirectory.get().dir("ndk").asFile.isDirectory) {
    android.externalNativeBuild.cmake.path = file("../contract/src/main/cpp/CMakeLists.txt")
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_17
        // Maven compiles with another Compose: what a newer one only deprecates must not stop a first build.
        allWarningsAsErrors = providers.gradleProperty("strict").isPresent
    }
}

dependencies {
    implementation(project(":ui"))
    implementation(libs.activity.compose)
    implementation(libs.executorch)
    implementation(libs.litert)
    // Its GPU, which is a library of its own.
    implementation(libs.litert.gpu)
    "qualcommImplementation"(libs.litert.npu.qualcomm)
    "mediatekImplementation"(libs.litert.npu.mediatek)
    "tensorImplementation"(libs.litert.npu.tensor)
    androidTestImplementation(libs.android.test.runner)
    androidTestImplementation(libs.junit.android)
}
